package syncserver

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"gocyrus/lib/csync"
	"gocyrus/lib/guid"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
)

// message is APPLY MESSAGE. The files were taken while the command was read.
func (s *Session) message(_ context.Context, value []byte, _ *Answer) error {
	files, err := csync.Files(value)
	if err != nil {
		return err
	}
	for _, f := range files {
		if !s.stage.has(stageKey{f.Partition, f.GUID}) {
			return fmt.Errorf("message %s could not be stored", f.GUID)
		}
	}
	return nil
}

// reserve is APPLY RESERVE: messages that some mailbox here has need not be sent.
// The answer has those that none has, and is no line at all without any.
func (s *Session) reserve(ctx context.Context, value []byte, a *Answer) error {
	w, err := csync.ParseReserve(value)
	if err != nil {
		return err
	}
	if _, ok := s.e.opts.Partitions[w.Partition]; !ok {
		return fmt.Errorf("partition %q is not known here", w.Partition)
	}
	r := reservation{s: s, partition: w.Partition, wanted: map[guid.GUID]bool{}}
	for _, g := range w.GUIDs {
		if !s.stage.has(stageKey{w.Partition, g}) {
			r.wanted[g] = true
		}
	}
	if err := r.lookIn(ctx, w.Mailboxes); err != nil {
		return err
	}
	var missing []guid.GUID
	for _, g := range w.GUIDs {
		if r.wanted[g] {
			missing = append(missing, g)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return a.item("MISSING", func(dst []byte) []byte { return csync.AppendGUIDs(dst, missing) })
}

// reservation is a RESERVE being carried out.
type reservation struct {
	s         *Session
	partition string
	wanted    map[guid.GUID]bool
}

// lookIn looks in mailboxes, in those of the partition first: what they have can
// be linked.
func (r *reservation) lookIn(ctx context.Context, names []string) error {
	var near, far []*mboxlist.Entry
	for _, n := range names {
		e, err := r.s.e.live(mboxname.Name(n))
		switch {
		case errors.Is(err, mboxlist.ErrNotFound) || errors.Is(err, csync.ErrNonexistent):
		case err != nil:
			return err
		case e.Partition == r.partition:
			near = append(near, e)
		default:
			far = append(far, e)
		}
	}
	for _, e := range append(near, far...) {
		if len(r.wanted) == 0 {
			return nil
		}
		// A mailbox that cannot be read has nothing to offer, as in Cyrus.
		if err := r.lookInOne(ctx, e); err != nil {
			if ctx.Err() != nil {
				return err
			}
			log.Notice("SYNCNOTICE: reserve from mailbox=<%s>: %v", e.Name, err)
		}
	}
	return nil
}

// candidate is a message whose record has a wanted GUID.
type candidate struct {
	guid     guid.GUID
	uid      uint32
	archived bool
}

func (r *reservation) lookInOne(ctx context.Context, e *mboxlist.Entry) error {
	m, err := r.s.e.site.Mailboxes.Open(ctx, e)
	if err != nil {
		return err
	}
	defer m.Close()
	ctx = mailbox.As(ctx, e)
	var found []candidate
	err = m.View(ctx, func(v *mailbox.View) error {
		if err := supported(v); err != nil {
			return err
		}
		r.s.e.tables.with(v, func(t *guidTable) { found = r.candidates(v, t) })
		return nil
	})
	if err != nil {
		return err
	}
	for _, c := range found {
		if r.wanted[c.guid] {
			r.take(m, c)
		}
	}
	return ctx.Err()
}

func (r *reservation) candidates(v *mailbox.View, t *guidTable) (found []candidate) {
	for g := range r.wanted {
		t.find(v, g, func(recno int) bool {
			if raw := v.Raw(recno); raw.Flags()&indexfile.Unlinked == 0 {
				found = append(found, candidate{g, raw.UID(), raw.Flags()&indexfile.Archived != 0})
			}
			return false
		})
	}
	return found
}

// take stages the file of a candidate, if its octets are what the record says.
func (r *reservation) take(m *mailbox.Mailbox, c candidate) {
	msg, err := m.OpenFile(c.uid, c.archived)
	if err != nil {
		return // it went meanwhile
	}
	good := sameGUID(msg, c.guid)
	msg.Close()
	if !good {
		log.Err("IOERROR: guid mismatch mailbox=<%s> uid=<%d> guid=<%s>", m.Name(), c.uid, c.guid)
		return
	}
	dir := m.Path("data")
	if c.archived {
		dir = m.Path("archive")
	}
	if err := r.s.stage.link(stageKey{r.partition, c.guid}, messagePath(dir, c.uid)); err != nil {
		log.Notice("SYNCNOTICE: reserve from mailbox=<%s> uid=<%d>: %v", m.Name(), c.uid, err)
		return
	}
	delete(r.wanted, c.guid)
}

// sameGUID says whether the octets of a message are those of the GUID.
func sameGUID(msg *mailbox.Message, g guid.GUID) bool { return guid.Of(msg.Bytes()) == g }

// messagePath is the file of a message in a directory of a mailbox.
func messagePath(dir string, uid uint32) string {
	return filepath.Join(dir, strconv.FormatUint(uint64(uid), 10)+".")
}
