package imapserver

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"gocyrus/lib/acl"
	"gocyrus/lib/imapproxy"
	"gocyrus/lib/index"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/seqset"
)

// errTarget is the error of a target that takes no more: the source is read to the end
// of its answer nevertheless.
var errTarget = errors.New("the target takes no more")

// farSource is the selected mailbox when another server has it.
type farSource struct {
	s   *session
	f   *farSelection
	set string // as the client spells it
}

func (f *farSource) mayRemove() error {
	_, err := f.s.knownWith(f.f.ext, acl.DeleteMsg|acl.Expunge)
	return err
}

// relay is where untagged answers go.
func (f *farSource) relay() *imapproxy.Relay {
	return &imapproxy.Relay{To: f.s.in, Look: f.f.view.look}
}

func (f *farSource) survey(a *across) error {
	tag := f.s.backends().Tag()
	command := "FETCH "
	if a.uid {
		command = "UID FETCH "
	}
	f.s.heard = f.f.c
	if err := f.f.c.Send(tag, command+f.set+" (UID FLAGS INTERNALDATE)"); err != nil {
		return f.s.lost(err)
	}
	reply, err := f.f.c.Collect(tag, "FETCH", f.relay(), func(line []byte) error {
		m, ok := imapproxy.ParseFetch(line)
		if !ok || m.UID == 0 || m.Date == "" {
			_, err := f.s.in.Write(line) // told unasked
			return err
		}
		a.add(m.UID, m.Flags, m.Date)
		return nil
	})
	if err != nil {
		return f.s.lost(err)
	}
	if !reply.OK() {
		return f.s.replied(reply, nil)
	}
	return nil
}

func (f *farSource) bodies(a *across) error {
	var all seqset.Set
	for _, uid := range a.order {
		all.Add(uid)
	}
	for part := range slices.Chunk(all, f.s.srv.murder.ranges) {
		tag := f.s.backends().Tag()
		if err := f.f.c.Send(tag, "UID FETCH "+part.String()+" (UID BODY.PEEK[])"); err != nil {
			return f.s.lost(err)
		}
		reply, err := f.f.c.Bodies(tag, f.relay(), a.begin)
		if errors.Is(err, errTarget) {
			return err
		}
		if err != nil || !reply.OK() {
			return f.s.replied(reply, err)
		}
	}
	return nil
}

func (f *farSource) remove(uids seqset.Set) error {
	for part := range slices.Chunk(uids, f.s.srv.murder.ranges) {
		if err := f.removeSome(part.String()); err != nil {
			return err
		}
	}
	return nil
}

func (f *farSource) removeSome(set string) error {
	look := f.f.view.look
	quiet := &imapproxy.Relay{To: f.s.in, Look: func(head []byte) bool { return look(head) && !isFetch(head) }}
	reply, err := f.s.backends().Do(f.f.c, `UID STORE `+set+` +FLAGS.SILENT (\Deleted)`, quiet)
	if err == nil && reply.OK() {
		reply, err = f.s.backends().Do(f.f.c, "UID EXPUNGE "+set, f.relay())
	}
	if err != nil || !reply.OK() {
		text := f.s.text
		err = f.s.replied(reply, err)
		f.s.text = text
	}
	return err
}

// isFetch says whether an untagged answer is FETCH.
func isFetch(head []byte) bool {
	rest := bytes.TrimLeft(head[min(2, len(head)):], "0123456789")
	return bytes.HasPrefix(rest, []byte(" FETCH "))
}

// hereSource is messages of the selected mailbox, which is of this server.
type hereSource struct {
	s    *session
	nums index.Numbers
}

func (h *hereSource) mayRemove() error { return h.s.sel.idx.MayRemove() }

func (h *hereSource) survey(a *across) error {
	var b []byte
	return h.s.sel.idx.View(h.s.ctx, func(r *index.Reader) error {
		for seq := range h.nums.All {
			raw, ok := r.Raw(seq)
			if !ok || !raw.Live() {
				continue
			}
			b = appendFlags(b[:0], r.Flags(raw), h.s.sel.idx.Keywords())
			flags := string(b[len("FLAGS (") : len(b)-1])
			b = appendDate(b[:0], raw.InternalDate())
			a.add(raw.UID(), flags, string(bytes.Trim(b, `"`)))
		}
		return nil
	})
}

// bodies reads one message after the other: nobody waits for the mailbox meanwhile.
func (h *hereSource) bodies(a *across) error {
	for _, uid := range a.order {
		if err := h.body(a, uid); err != nil {
			return err
		}
	}
	return nil
}

func (h *hereSource) body(a *across, uid uint32) error {
	m, err := h.open(uid)
	if err != nil || m == nil {
		return err
	}
	defer m.Close()
	w, err := a.begin(uid, int64(len(m.Bytes())))
	if err != nil || w == nil {
		return err
	}
	if _, err := w.Write(m.Bytes()); err != nil {
		return fmt.Errorf("%w: %w", errTarget, h.s.lost(err))
	}
	return nil
}

// open opens a message; nil when it is gone.
func (h *hereSource) open(uid uint32) (m *mailbox.Message, err error) {
	idx := h.s.sel.idx
	err = idx.View(h.s.ctx, func(r *index.Reader) (err error) {
		seq, ok := idx.Seq(uid)
		if !ok {
			return nil
		}
		raw, ok := r.Raw(seq)
		if ok && raw.Live() {
			m, err = r.Message(raw)
		}
		return err
	})
	return m, err
}

func (h *hereSource) remove(uids seqset.Set) error {
	var nums seqset.Set
	for seq := range h.nums.All {
		if uids.Contains(h.s.sel.idx.UID(seq)) {
			nums.Add(uint32(seq))
		}
	}
	return h.s.sel.idx.Remove(h.s.ctx, index.Numbers(nums))
}
