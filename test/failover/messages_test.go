package failover

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gocyrus/test/internal/rig"
)

// append appends one message, or several in one command (RFC 3502): all or none.
func (w *worker) append() {
	b := w.use(nil)
	if b == nil {
		return
	}
	n := 1
	if w.r.IntN(5) == 0 {
		n += w.r.IntN(5)
	}
	var cmd strings.Builder
	fmt.Fprintf(&cmd, "APPEND %s", b.name)
	all := make([]*held, n)
	for i := range all {
		id, text := w.l.message(w.r)
		all[i] = &held{id: id, is: maybe, busy: true, flagged: known(w.r.IntN(2) == 0)}
		flag := ""
		if all[i].flagged == yes {
			flag = `\Flagged`
		}
		fmt.Fprintf(&cmd, " (%s) {%d+}\r\n%s", flag, len(text), text)
	}
	w.put(b, all)
	r, how := w.do("%s", cmd.String())
	w.l.tell(all, "APPEND %s: %s", b.name, answer(r))
	if how == unsure {
		return
	}
	var args []string
	if how == done {
		args, _ = r.Code("APPENDUID")
	}
	w.arrived(b, all, how == done, args)
	w.release(b)
}

// answer is how a command ended, as text.
func answer(r *rig.Reply) string {
	if r == nil {
		return "no answer"
	}
	return r.Status + " " + r.Text
}

// put enters messages that are on their way into a mailbox.
func (w *worker) put(b *box, all []*held) {
	w.l.locked(func() {
		for _, h := range all {
			b.msgs[h.id] = h
		}
	})
}

// arrived settles messages that put entered; uids are UIDVALIDITY and UIDs.
func (w *worker) arrived(b *box, all []*held, ok bool, uids []string) {
	var news []uint32
	if len(uids) == 2 {
		news = parseSet(uids[1])
	}
	if ok && len(news) != len(all) {
		w.l.fault("%s %s: UIDs %q for %d messages", w.u.name, b.name, uids, len(all))
		news = make([]uint32, len(all))
	}
	w.l.locked(func() {
		for i, h := range all {
			if !ok {
				delete(b.msgs, h.id)
				continue
			}
			h.is, h.uid, h.busy = yes, news[i], false
		}
		if v := number(uids); ok && b.uidvalidity == 0 {
			b.uidvalidity = v
		} else if ok && v != b.uidvalidity {
			w.l.faults = append(w.l.faults, fmt.Sprintf("%s %s: UIDVALIDITY was %d, a new message has %d", w.u.name, b.name, b.uidvalidity, v))
		}
	})
}

// hold picks a mailbox with messages and some of them, in the order of their UIDs,
// and has it selected.
func (w *worker) hold(n int, fit func(*held) bool) (*box, []*held) {
	b := w.use(func(b *box) bool { return len(b.msgs) > 0 })
	if b == nil {
		return nil, nil
	}
	all := w.open(b, n, fit)
	if len(all) == 0 {
		w.release(b)
		return nil, nil
	}
	slices.SortFunc(all, func(a, b *held) int { return cmp.Compare(a.uid, b.uid) })
	return b, all
}

// close ends what hold began.
func (w *worker) close(b *box, how outcome) {
	if how == unsure {
		return
	}
	w.do("UNSELECT")
	w.release(b)
}

// flag sets or removes \Flagged.
func (w *worker) flag() {
	b, all := w.hold(1+w.r.IntN(8), nil)
	if b == nil {
		return
	}
	sign, want := "+", yes
	if w.r.IntN(3) == 0 {
		sign, want = "-", no
	}
	before := make(map[*held]state)
	w.l.locked(func() {
		for _, h := range all {
			if before[h] = h.flagged; h.flagged != want {
				h.flagged = maybe
			}
		}
	})
	r, how := w.do(`UID STORE %s %sFLAGS.SILENT (\Flagged)`, uidSet(all), sign)
	w.l.tell(all, `%s %s: %sFLAGS (\Flagged): %s`, w.u.name, b.name, sign, answer(r))
	w.settle(all, how, func(h *held, ok bool) {
		if h.flagged = want; !ok {
			h.flagged = before[h]
		}
	})
	w.close(b, how)
}

// expunge marks messages deleted and expunges them.
func (w *worker) expunge() {
	b, all := w.hold(1+w.r.IntN(4), nil)
	if b == nil {
		return
	}
	if _, how := w.do(`UID STORE %s +FLAGS.SILENT (\Deleted)`, uidSet(all)); how != done {
		w.settle(all, how, nil)
		w.close(b, how)
		return
	}
	w.l.locked(func() {
		for _, h := range all {
			h.is = maybe
		}
	})
	r, how := w.do("UID EXPUNGE %s", uidSet(all))
	w.l.tell(all, "%s %s: UID EXPUNGE %s: %s", w.u.name, b.name, uidSet(all), answer(r))
	w.settle(all, how, func(h *held, ok bool) {
		if h.is = yes; ok {
			delete(b.msgs, h.id)
		}
	})
	w.close(b, how)
}

func (w *worker) copy() { w.transfer("COPY") }
func (w *worker) move() { w.transfer("MOVE") }

// transfer copies or moves messages into another mailbox, of another backend often.
// When a MOVE is interrupted a message may be in both, never in none (RFC 6851
// section 3.3).
func (w *worker) transfer(word string) {
	to := w.use(nil)
	if to == nil {
		return
	}
	b, all := w.hold(1+w.r.IntN(6), func(h *held) bool { return to.msgs[h.id] == nil })
	if b == nil || b == to {
		w.settle(all, refused, nil)
		if b != nil {
			w.close(b, refused)
		}
		w.release(to)
		return
	}
	all, copies := w.depart(word, to, all)
	if len(all) == 0 {
		w.close(b, refused)
		w.release(to)
		return
	}
	r, how := w.do("UID %s %s %s", word, uidSet(all), to.name)
	w.l.tell(all, "%s %s: UID %s %s %s: %s", w.u.name, b.name, word, uidSet(all), to.name, answer(r))
	if how == unsure || how == refused && word == "MOVE" {
		return // what is refused may be there twice, in the middle of a move of the user
	}
	var args []string
	if how == done {
		if args = copyUID(r); len(args) != 3 || !slices.Equal(parseSet(args[1]), uids(all)) {
			w.l.fault("%s: %s of %s answers COPYUID %q", w.u.name, word, uidSet(all), args)
			args = []string{"0", "", ""}
		}
		args = []string{args[0], args[2]}
	}
	w.arrived(to, copies, how == done, args)
	w.settle(all, how, func(h *held, ok bool) {
		h.into = nil
		if h.is = yes; ok && word == "MOVE" {
			delete(b.msgs, h.id)
		}
	})
	w.close(b, how)
	w.release(to)
}

// depart enters the copies of messages that are on their way, but for those that
// somebody else has sent there meanwhile.
func (w *worker) depart(word string, to *box, all []*held) (left, copies []*held) {
	w.l.locked(func() {
		for _, h := range all {
			if to.msgs[h.id] != nil {
				h.busy = false
				continue
			}
			d := &held{id: h.id, is: maybe, busy: true, flagged: h.flagged}
			to.msgs[h.id] = d
			if word == "MOVE" {
				h.is, h.into = maybe, d
			}
			left, copies = append(left, h), append(copies, d)
		}
	})
	return left, copies
}

// copyUID finds the UIDPLUS code: in the tagged reply of COPY, in an untagged one of
// MOVE.
func copyUID(r *rig.Reply) []string {
	if args, ok := r.UntaggedCode("COPYUID"); ok {
		return args
	}
	args, _ := r.Code("COPYUID")
	return args
}

func uids(all []*held) (u []uint32) {
	for _, h := range all {
		u = append(u, h.uid)
	}
	return u
}

// learn reads the ids of all messages of a mailbox, for those whose UID is not
// known: those that came by LMTP.
func (w *worker) learn() {
	b := w.use(func(b *box) bool { return len(b.msgs) > 0 })
	if b == nil {
		return
	}
	defer w.release(b)
	if _, how := w.do("SELECT %s", b.name); how != done {
		return
	}
	r, how := w.do("UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (%s)])", strings.TrimSuffix(idHeader, ": "))
	if how != done {
		return
	}
	w.l.locked(func() {
		for _, u := range r.Untagged {
			f, ok := parseFetch(u)
			if h := b.msgs[f.id]; ok && h != nil && h.uid == 0 {
				h.uid = f.uid
				w.l.story[h.id] = append(w.l.story[h.id], fmt.Sprintf("%s %s: has UID %d", w.u.name, b.name, f.uid))
			}
		}
	})
	w.do("UNSELECT")
}

// fetched is what a FETCH reply says.
type fetched struct {
	uid     uint32
	flagged bool
	id      string
	body    []byte // from the header with the id on
}

// parseFetch reads a FETCH reply with one literal.
func parseFetch(t rig.Untagged) (f fetched, ok bool) {
	_, rest, ok := strings.Cut(t.Text, " FETCH (")
	if !ok || len(t.Literals) != 1 {
		return f, false
	}
	if _, n, found := strings.Cut(rest, "UID "); found {
		fmt.Sscan(n, &f.uid)
	}
	f.flagged = strings.Contains(rest, `\Flagged`)
	at := bytes.Index(t.Literals[0], []byte(idHeader))
	if at < 0 {
		return f, false
	}
	f.body = t.Literals[0][at:]
	id, _, _ := bytes.Cut(f.body[len(idHeader):], []byte("\r\n"))
	f.id = string(id)
	return f, true
}
