package csync

// NumResources is the number of resources that a quota root may limit.
const NumResources = 4

// Unlimited is the limit of a resource that has none.
const Unlimited = -1

// quotaKeys are the resources in the order of the quota database, with the names
// of Cyrus up to 3.6 last: from 3.10 on it writes both.
var quotaKeys = [NumResources][]string{{"STORAGE"}, {"MESSAGE"}, {"ANNOTATION-STORAGE", "X-ANNOTATION-STORAGE"}, {"MAILBOX", "X-NUM-FOLDERS"}}

// wireUnlimited is how LIMIT says that storage has no limit.
const wireUnlimited = 1<<32 - 1

// Quota is the QUOTA object: a root with its limits, storage in KiB, in the order
// STORAGE, MESSAGE, ANNOTATION-STORAGE, MAILBOX; Unlimited where there is none.
// QUIRK: limits have 32 bits in Cyrus; larger ones wrap there.
type Quota struct {
	Root   string
	Limits [NumResources]int64
	ModSeq uint64
}

// Append appends q with the names of 3.10, which 3.6 passes over and 3.6's.
func (q *Quota) Append(dst []byte, form Form) []byte {
	w := q.wire()
	return quotaObject.append(dst, &w, form)
}

// ParseQuota reads a QUOTA object. LIMIT counts where STORAGE is not given.
func ParseQuota(value []byte) (*Quota, error) {
	w := quotaWire{limit: wireUnlimited}
	for i := range w.limits {
		w.limits[i] = [2]int64{Unlimited, Unlimited}
	}
	if _, err := quotaObject.parse(value, &w); err != nil {
		return nil, err
	}
	q := &Quota{Root: w.root, ModSeq: w.modSeq}
	for i, l := range w.limits {
		q.Limits[i] = l[0]
		if l[0] == Unlimited {
			q.Limits[i] = l[1]
		}
	}
	if q.Limits[0] == Unlimited && w.limit != wireUnlimited {
		q.Limits[0] = w.limit
	}
	return q, nil
}

// quotaWire is a Quota as it is written.
type quotaWire struct {
	root   string
	limit  int64
	limits [NumResources][2]int64
	modSeq uint64
}

func (q *Quota) wire() quotaWire {
	w := quotaWire{root: q.Root, limit: q.Limits[0], modSeq: q.ModSeq}
	if w.limit < 0 {
		w.limit = wireUnlimited
	}
	for i, l := range q.Limits {
		w.limits[i] = [2]int64{l, l}
	}
	return w
}

var quotaObject = makeQuotaObject()

func makeQuotaObject() object[quotaWire] {
	o := object[quotaWire]{
		{key: "ROOT", at: func(w *quotaWire) any { return &w.root }, must: true},
		{key: "LIMIT", at: func(w *quotaWire) any { return &w.limit }},
	}
	for r, keys := range quotaKeys {
		for i, key := range keys {
			at := func(w *quotaWire) *int64 { return &w.limits[r][i] }
			o = append(o, field[quotaWire]{key: key, at: func(w *quotaWire) any { return at(w) },
				show: func(w *quotaWire) bool { return *at(w) >= 0 }})
		}
	}
	return append(o, field[quotaWire]{key: "MODSEQ", at: func(w *quotaWire) any { return &w.modSeq }})
}
