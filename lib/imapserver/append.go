package imapserver

import (
	"errors"
	"fmt"

	"github.com/emersion/go-imap/v2"

	"gocyrus/lib/acl"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/index"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/quota"
	"gocyrus/lib/seqset"
	"gocyrus/lib/spool"
)

// appendMessages is APPEND, of one message or several at once (RFC 3502), which
// are stored all or not at all.
func (s *session) appendMessages(p *imapwire.Parser) error {
	name, err := p.SPAString()
	if err != nil {
		return err
	}
	return s.appendNamed(p, name, "")
}

// appendNamed is APPEND whose mailbox was read. current is the one that URLs without a
// mailbox are relative to, "" for the selected one.
func (s *session) appendNamed(p *imapwire.Parser, name, current string) error {
	if err := p.SP(); err != nil {
		return err
	}
	return s.appendTo(name, func(in *incoming) error {
		in.current = current
		if err := in.messages(p); err != nil {
			return err
		}
		text, err := in.store()
		if err == nil {
			s.text = text
		}
		return err
	})
}

// replace is REPLACE and UID REPLACE (RFC 8508): an append, and the end of the
// message that it stands for.
func (s *session) replace(p *imapwire.Parser) error {
	set, _, name, err := s.fromTo(p)
	if err != nil {
		return err
	}
	if err := p.SP(); err != nil {
		return err
	}
	if at := s.farTarget(name); at != nil {
		return s.replaceAway(p, set, at)
	}
	return s.appendTo(name, func(in *incoming) error {
		if err := in.one(p); err != nil {
			return err
		}
		if err := p.EOL(); err != nil {
			return err
		}
		if err := s.present(); err != nil {
			return err
		}
		old := s.sel.idx.Resolve(set, s.sel.saved)
		if !single(set) || len(old) == 0 {
			return errNoMessage
		}
		if err := s.sel.idx.MayRemove(); err != nil {
			return err
		}
		text, err := in.store()
		if err != nil {
			return err
		}
		s.untagged("OK ", text)
		// RFC 8508 section 3.2: the new message is told of before the old one goes.
		if err := s.sendUpdates(false); err != nil {
			return err
		}
		return s.sel.idx.Remove(s.ctx, old)
	})
}

// single says whether a set is one number.
func single(set imap.NumSet) bool {
	switch set := set.(type) {
	case imap.SeqSet:
		return len(set) == 1 && set[0].Start == set[0].Stop
	case imap.UIDSet:
		return len(set) == 1 && set[0].Start == set[0].Stop
	}
	return false
}

// appendTo opens the mailbox and lets fn take messages in. That the mailbox
// cannot be had is said when the messages have been read, and goes before
// whatever else is wrong with the command.
func (s *session) appendTo(name string, fn func(in *incoming) error) error {
	in := &incoming{s: s}
	defer in.close()
	var done func()
	in.target, done, in.refused = s.target(name)
	if errors.As(in.refused, new(*elsewhere)) {
		return in.refused // the messages are for another server to read
	}
	s.in.Forget()
	if in.refused == nil {
		defer done()
		in.dir, in.refused = s.srv.stageDir(in.target.Mailbox)
	}
	err := fn(in)
	if err != nil && in.refused != nil && !isFatal(err) {
		return in.refused
	}
	return err
}

// incoming is the messages of one command, on their way into a mailbox.
type incoming struct {
	s       *session
	target  index.Target
	dir     string // to stage them in
	current string // the mailbox that URLs without one are relative to; "" for the selected one
	refused error  // why they cannot be stored
	list    []arrival
}

func (in *incoming) close() {
	for i := range in.list {
		if f := in.list[i].file; f != nil {
			f.Close()
		}
	}
}

// messages reads all that the command brings, to the end of the line.
func (in *incoming) messages(p *imapwire.Parser) error {
	for {
		if err := in.one(p); err != nil {
			return err
		}
		more, err := p.Accept(' ')
		if err != nil {
			return err
		}
		if !more {
			return p.EOL()
		}
	}
}

// store makes the messages durable and puts them into the mailbox, in one
// transaction. It returns the completion text.
func (in *incoming) store() (string, error) {
	if in.refused != nil {
		return "", in.refused
	}
	var total quota.Usage
	for i := range in.list {
		if err := in.list[i].mayAnnotate(in.target.Who.Rights); err != nil {
			return "", err
		}
		total[quota.Storage] += int64(in.list[i].msg.Size)
		total[quota.Message]++
		total[quota.AnnotationStorage] += in.list[i].annotSize()
	}
	mbox := in.target.Mailbox
	var validity uint32
	var uids seqset.Set
	own := in.target.Who.Owner
	err := mbox.Update(in.s.ctx, func(tx *mailbox.Tx) error {
		if !in.target.IgnoreQuota {
			if err := tx.CheckQuota(total); err != nil {
				return err
			}
		}
		validity, uids = tx.UIDValidity(), nil
		own = in.target.InRecord(tx.Header())
		for i := range in.list {
			uid, _, err := tx.Append(in.list[i].append(in.target.Who.Rights, own))
			if err != nil {
				return err
			}
			in.list[i].uid = uid
			uids.Add(uid)
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("append to %s: %w", mbox.Name(), err)
	}
	if !own {
		if err := in.putSeen(); err != nil {
			return "", err
		}
	}
	if in.target.Who.Rights&acl.Read == 0 {
		return "Completed", nil // RFC 4315 section 3: the UIDs are not theirs to know
	}
	return fmt.Sprintf("[APPENDUID %d %s] Completed", validity, uids), nil
}

// putSeen marks what came in with \Seen as seen by a user who does not own the
// mailbox.
func (in *incoming) putSeen() error {
	var uids seqset.Set
	for i := range in.list {
		if in.list[i].seen() {
			uids.Add(in.list[i].uid)
		}
	}
	return in.target.MarkSeen(uids)
}

// appendRefusal gives the reasons to refuse a message Cyrus's words.
func appendRefusal(err error) error {
	for _, r := range []struct {
		err  error
		text string
	}{
		{spool.ErrNUL, "Message contains NUL characters"},
		{spool.ErrBareLF, "Message contains bare newlines"},
		{spool.ErrBadHeader, "Message contains invalid header"},
		{spool.Err8Bit, "Message contains non-ASCII characters in headers"},
		{spool.ErrTooBig, "[TOOBIG] Message size exceeds fixed limit"}, // RFC 7889 section 4
		{spool.ErrEmpty, "Zero-length message literal"},
	} {
		if errors.Is(err, r.err) {
			return imapwire.No(r.text)
		}
	}
	return err
}
