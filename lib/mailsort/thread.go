package mailsort

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"gocyrus/lib/cachefile"
	"gocyrus/lib/index"
)

// Thread is one message, or none where messages belong together whose common
// parent is not there, and the threads below it.
type Thread struct {
	Seq  int // 0 without a message
	Kids []*Thread

	msg *threaded
}

// threaded is what threading needs of a message.
type threaded struct {
	seq     int
	date    uint64
	arrived uint64
	subject string
	reply   bool
	id      string
	refs    []string
}

// An algorithm threads messages that are in the order of the mailbox.
type algorithm func(ctx context.Context, msgs []*threaded) ([]*Thread, error)

// algorithms are those of RFC 5256 section 3, and REFS of
// draft-ietf-morg-inthread: REFERENCES without the merging of subjects, threads
// in the order of their last message.
var algorithms = map[string]algorithm{
	"ORDEREDSUBJECT": orderedSubject,
	"REFERENCES":     references,
	"REFS":           refs,
}

// Known says whether there is an algorithm of that name, in upper case.
func Known(name string) bool { return algorithms[name] != nil }

// Threads puts the messages seqs, ascending, into threads by the algorithm name,
// which must be Known.
func Threads(ctx context.Context, s *index.State, seqs []int, name string) ([]*Thread, error) {
	msgs := make([]*threaded, len(seqs))
	all := make([]threaded, len(seqs))
	for i, seq := range seqs {
		all[i].seq = seq
		msgs[i] = &all[i]
	}
	err := each(ctx, s, seqs, func(r *reading, i int) error {
		return r.threaded(msgs[i], name != "ORDEREDSUBJECT", name != "REFS")
	})
	if err != nil {
		return nil, err
	}
	return algorithms[name](ctx, msgs)
}

// threaded reads what the algorithms need.
func (r *reading) threaded(m *threaded, ids, subject bool) (err error) {
	m.date, m.arrived = r.date(), uint64(r.raw.InternalDate())
	if subject {
		if m.subject, m.reply, err = r.subject(); err != nil {
			return err
		}
	}
	if ids {
		err = r.ids(m)
	}
	return err
}

// maxRefs bounds the references of one message: the first and the last ones are
// looked at, as by Cyrus.
const maxRefs = 20

// ids reads the message id and those that the message refers to.
func (r *reading) ids(m *threaded) error {
	env, err := r.item(cachefile.Envelope)
	if err != nil {
		return err
	}
	fields := envelope(env)
	if m.id, _ = nextID(fields[envMessageID]); m.id == "" {
		// No id has a space; this one is the message's alone.
		m.id = "no id " + strconv.Itoa(m.seq)
	}
	field, err := r.field("references")
	if err != nil {
		return err
	}
	for id, rest := nextID(field); id != ""; id, rest = nextID(rest) {
		if len(m.refs) == maxRefs {
			m.refs = slices.Delete(m.refs, 1, 2)
		}
		m.refs = append(m.refs, id)
	}
	if len(m.refs) == 0 {
		if id, _ := nextID(fields[envInReplyTo]); id != "" {
			m.refs = []string{id}
		}
	}
	return nil
}

// first is the message that stands for a thread in comparisons.
func (t *Thread) first() *threaded {
	for t.msg == nil {
		t = t.Kids[0]
	}
	return t.msg
}

// sortThreads sorts siblings by date, all the way down.
func sortThreads(list []*Thread) {
	for _, t := range list {
		if len(t.Kids) > 0 {
			sortThreads(t.Kids)
		}
	}
	sortSiblings(list)
}

func sortSiblings(list []*Thread) {
	slices.SortStableFunc(list, func(a, b *Thread) int {
		x, y := a.first(), b.first()
		if c := cmp.Compare(x.date, y.date); c != 0 {
			return c
		}
		return x.seq - y.seq
	})
}

// numbered fills in Seq, all the way down.
func numbered(list []*Thread) []*Thread {
	for _, t := range list {
		if t.msg != nil {
			t.Seq = t.msg.seq
		}
		numbered(t.Kids)
	}
	return list
}

// orderedSubject is RFC 5256's ORDEREDSUBJECT: messages of one base subject are
// one thread, the first of them its parent.
func orderedSubject(_ context.Context, msgs []*threaded) ([]*Thread, error) {
	slices.SortStableFunc(msgs, func(a, b *threaded) int {
		return cmp.Or(cmp.Compare(a.subject, b.subject), cmp.Compare(a.date, b.date), a.seq-b.seq)
	})
	var top []*Thread
	for i, m := range msgs {
		t := &Thread{msg: m}
		if i > 0 && msgs[i-1].subject == m.subject {
			parent := top[len(top)-1]
			parent.Kids = append(parent.Kids, t)
			continue
		}
		top = append(top, t)
	}
	sortSiblings(top)
	return numbered(top), nil
}
