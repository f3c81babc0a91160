package mailsort

import (
	"context"
	"fmt"
	"slices"
)

// references is RFC 5256's REFERENCES: threads by what messages refer to, those
// of one subject put together.
func references(ctx context.Context, msgs []*threaded) ([]*Thread, error) {
	top, err := link(ctx, msgs)
	if err != nil {
		return nil, err
	}
	top = prune(top, true)
	for _, t := range top {
		if t.msg == nil {
			sortSiblings(t.Kids)
		}
	}
	sortSiblings(top)
	top = bySubject(top)
	sortThreads(top)
	return numbered(top), nil
}

// refs is REFS: the threads are in order of the arrival of their last message.
func refs(ctx context.Context, msgs []*threaded) ([]*Thread, error) {
	top, err := link(ctx, msgs)
	if err != nil {
		return nil, err
	}
	top = prune(top, true)
	for _, t := range top {
		sortThreads(t.Kids)
	}
	latest := make(map[*Thread]uint64, len(top))
	for _, t := range top {
		latest[t] = lastArrival(t)
	}
	slices.SortStableFunc(top, func(a, b *Thread) int {
		if x, y := latest[a], latest[b]; x != y {
			if x < y {
				return -1
			}
			return 1
		}
		return a.ownSeq() - b.ownSeq()
	})
	return numbered(top), nil
}

// ownSeq is the number of the thread's own message, 0 without.
func (t *Thread) ownSeq() int {
	if t.msg == nil {
		return 0
	}
	return t.msg.seq
}

func lastArrival(t *Thread) (last uint64) {
	if t.msg != nil {
		last = t.msg.arrived
	}
	for _, k := range t.Kids {
		last = max(last, lastArrival(k))
	}
	return last
}

// linked is a thread while it is built: only the way up is kept, which is what
// changes.
type linked struct {
	Thread
	parent *linked
	kids   int
}

// under makes t a child of parent, unless that made a loop.
func (t *linked) under(parent *linked) {
	if t.kids > 0 { // what has no children is above nothing
		for up := parent; up != nil; up = up.parent {
			if up == t {
				return
			}
		}
	}
	if t == parent {
		return
	}
	t.parent = parent
	parent.kids++
}

// link is step 1 and 2 of the algorithm: the threads that have no parent.
func link(ctx context.Context, msgs []*threaded) ([]*Thread, error) {
	byID := make(map[string]*linked, len(msgs))
	nodes := make([]*linked, 0, len(msgs))
	node := func(id string) *linked {
		n := byID[id]
		if n == nil {
			n = &linked{}
			byID[id] = n
			nodes = append(nodes, n)
		}
		return n
	}
	for i, m := range msgs {
		if i%256 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		t := node(m.id)
		if t.msg != nil { // an id is used twice: the second is nobody's parent
			t = node(fmt.Sprintf("again %d %s", i, m.id))
		}
		t.msg = m
		var parent *linked
		for _, id := range m.refs {
			ref := node(id)
			if ref.parent == nil && parent != nil {
				ref.under(parent)
			}
			parent = ref
		}
		// A parent from before comes from the cut References of another message;
		// the message itself knows better (step 1.B).
		if t.parent != nil {
			t.parent.kids--
			t.parent = nil
		}
		if parent != nil {
			t.under(parent)
		}
	}
	var top []*Thread
	for _, n := range nodes {
		if n.parent == nil {
			top = append(top, &n.Thread)
		} else {
			n.parent.Kids = append(n.parent.Kids, &n.Thread)
		}
	}
	return top, nil
}

// prune is step 3: threads without a message go, their children take their
// place. At the top only an only child does, so that children of one parent
// that is not there stay together.
func prune(list []*Thread, top bool) (kept []*Thread) {
	todo := slices.Clone(list)
	slices.Reverse(todo)
	for len(todo) > 0 {
		t := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if t.msg == nil && (len(t.Kids) == 1 || !top) {
			for _, k := range slices.Backward(t.Kids) {
				todo = append(todo, k)
			}
			continue
		}
		t.Kids = prune(t.Kids, false)
		if t.msg != nil || len(t.Kids) > 0 {
			kept = append(kept, t)
		}
	}
	return kept
}

// bySubject is step 5: threads at the top that have the same base subject
// become one.
func bySubject(top []*Thread) []*Thread {
	table := make(map[string]*Thread, len(top))
	for _, t := range top {
		subject := t.first().subject
		if subject == "" {
			continue
		}
		old := table[subject]
		if old == nil || t.msg == nil && old.msg != nil ||
			old.msg != nil && old.msg.reply && t.msg != nil && !t.msg.reply {
			table[subject] = t
		}
	}
	kept := top[:0]
	for _, t := range top {
		old := table[t.first().subject]
		if old == nil || old == t {
			kept = append(kept, t)
			continue
		}
		old.merge(t)
	}
	return kept
}

// merge takes in another thread of the same subject.
func (t *Thread) merge(other *Thread) {
	switch {
	case t.msg == nil && other.msg == nil:
		t.Kids = append(t.Kids, other.Kids...)
	case t.msg == nil, other.msg != nil && other.msg.reply && !t.msg.reply:
		t.Kids = append(t.Kids, other)
	default: // neither answers the other: both go under a parent that is not there
		own := &Thread{msg: t.msg, Kids: t.Kids}
		t.msg, t.Kids = nil, []*Thread{other, own}
	}
}
