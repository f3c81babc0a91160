package index

import "gocyrus/lib/seqset"

// FirstUnseen is the number of the first message without \Seen, 0 when there is
// none.
func (r *Reader) FirstUnseen() int {
	if !r.inRecord {
		return r.firstNotIn(r.seen)
	}
	recno := r.v.FirstUnseen()
	if recno == 0 {
		return 0
	}
	seq, ok := r.Seq(r.v.Raw(recno).UID())
	if !ok {
		return 0
	}
	return seq
}

// firstNotIn is the number of the first message whose UID is not in set.
func (r *Reader) firstNotIn(set seqset.Set) int {
	seq := 1
	for _, e := range set {
		if seq > r.Exists() || r.UID(seq) < e.First {
			break
		}
		if e.Last == maxUID {
			return 0
		}
		seq = r.lower(e.Last + 1)
	}
	if seq > r.Exists() {
		return 0
	}
	return seq
}

const maxUID = 1<<32 - 1
