package imapserver

import (
	"errors"
	"io"
	"math"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"gocyrus/lib/acl"
	"gocyrus/lib/annotate"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/index"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/message"
	"gocyrus/lib/spool"
	"gocyrus/lib/stage"
)

// arrival is one message that has come in.
type arrival struct {
	flags []imap.Flag
	date  time.Time // zero: now
	annot []mailbox.Annot
	file  *spool.File
	msg   *message.Message
	uid   uint32
}

var (
	errAppendFlag    = imapwire.Bad("Invalid flag in Append command")
	errAppendSpace   = imapwire.Bad("Missing space after flag list in Append command")
	errAppendDate    = imapwire.Bad("Invalid date-time in Append command")
	errAppendMissing = imapwire.Bad("Missing required argument to Append command")
	errAppendZero    = imapwire.No("Zero-length message literal")
	errAppendMany    = imapwire.No("[TOOBIG] Too many messages in Append command")
)

const (
	// maxArrivals bounds the messages of one command: each has a file, and its cache
	// record in memory.
	maxArrivals = 10000
	// maxOpen is how many of them keep the file open, and what it holds in memory.
	maxOpen = 32
)

// one reads one message: flags and date, if they are there, and the literal.
func (in *incoming) one(p *imapwire.Parser) error {
	if len(in.list) >= maxArrivals {
		return errAppendMany
	}
	in.list = append(in.list, arrival{})
	a := &in.list[len(in.list)-1]
	b, err := p.Peek()
	if err != nil {
		return err
	}
	if b == '(' {
		if a.flags, err = p.Flags("Append"); err != nil {
			return appendError(err, errAppendFlag)
		}
		if err := p.SP(); err != nil {
			return appendError(err, errAppendSpace)
		}
		if b, err = p.Peek(); err != nil {
			return err
		}
	}
	if b == '"' {
		if err := a.readDate(p); err != nil {
			return err
		}
		if b, err = p.Peek(); err != nil {
			return err
		}
	}
	if b == 'A' || b == 'a' {
		if err := in.annotations(p, a); err != nil {
			return err
		}
		if b, err = p.Peek(); err != nil {
			return err
		}
	}
	if b == 'C' || b == 'c' {
		return in.catenate(p, a)
	}
	return in.literal(p, a)
}

// annotations reads ANNOTATION and values (RFC 5257 section 4.6). That they may not be
// stored is said when the message has been read.
func (in *incoming) annotations(p *imapwire.Parser, a *arrival) error {
	if word, _, err := p.Word(); err != nil || !strings.EqualFold(word, "ANNOTATION") {
		return firstOf(err, errAppendMissing)
	}
	if err := p.SP(); err != nil {
		return appendError(err, errAppendMissing)
	}
	entries, err := p.AnnotationStore()
	if err != nil {
		return err
	}
	if err := p.SP(); err != nil {
		return appendError(err, errAppendMissing)
	}
	if in.refused == nil {
		a.annot, in.refused = in.s.srv.annots.ofMessage(entries, annotate.UserOf(in.s.user, in.target.Mailbox.Owner()))
	}
	return nil
}

// mayAnnotate says whether rights allow what a message brings (RFC 5257 section 4.6).
func (a *arrival) mayAnnotate(r acl.Rights) error {
	for i := range a.annot {
		need := acl.Read
		if a.annot[i].User == "" {
			need = acl.Annotate
		}
		if r&need == 0 {
			return errPermission
		}
	}
	return nil
}

// annotSize is the octets of its annotations.
func (a *arrival) annotSize() (n int64) {
	for i := range a.annot {
		n += int64(len(a.annot[i].Data))
	}
	return n
}

func (a *arrival) readDate(p *imapwire.Parser) error {
	s, err := p.String()
	if err != nil {
		return appendError(err, errAppendDate)
	}
	var ok bool
	if a.date, ok = imapwire.ParseDateTime(s); !ok || a.date.Unix() < 0 || a.date.Unix() > math.MaxUint32 {
		return errAppendDate // or one that the index has no room for
	}
	return appendError(p.SP(), errAppendMissing)
}

// appendError gives a syntax error the words of this command.
func appendError(err, words error) error {
	if errors.As(err, new(imapwire.Bad)) {
		return words
	}
	return err
}

// literal reads the message into its file. One that cannot be stored is read all
// the same if the client does not wait for an invitation: the stream must stay in
// step.
func (in *incoming) literal(p *imapwire.Parser, a *arrival) error {
	binary, l, err := in.literalHeader(p)
	opts := in.s.srv.opts.Spool
	switch {
	case err != nil:
		return err
	case in.refused != nil && l.Sync: // before the client sends it in vain
		return in.refuse(p, l, in.refused)
	case l.Size == 0:
		return in.refuse(p, l, errAppendZero)
	case l.Size > in.s.srv.opts.MaxMessage:
		return in.refuse(p, l, appendRefusal(spool.ErrTooBig))
	}
	if err := p.Invite(l); err != nil {
		return err
	}
	if in.refused != nil {
		return p.Conn().CopyN(io.Discard, l.Size)
	}
	opts.Binary = binary
	a.file = spool.New(in.dir, spool.Append, opts)
	if err := p.Conn().CopyN(a.file, l.Size); err != nil {
		if isFatal(err) {
			return err
		}
		in.refused = appendRefusal(err)
		return nil
	}
	if err := in.finish(a); err != nil {
		in.refused = appendRefusal(err)
	}
	return nil
}

// literalHeader reads what announces a literal, or literal8.
func (in *incoming) literalHeader(p *imapwire.Parser) (binary bool, l imapwire.Literal, err error) {
	if binary, err = p.Accept('~'); err == nil {
		l, err = p.LiteralHeader()
	}
	if err != nil && !isFatal(err) {
		err = errAppendMissing
	}
	return binary, l, err
}

// finish ends a message.
func (in *incoming) finish(a *arrival) (err error) {
	if a.msg, err = a.file.Finish(); err == nil && len(in.list) > maxOpen {
		err = a.file.Park(a.msg)
	}
	return err
}

// refuse turns a literal down.
func (in *incoming) refuse(p *imapwire.Parser, l imapwire.Literal, why error) error {
	if err := p.RefuseLiteral(l); err != nil {
		return err
	}
	return why
}

// append is what the mailbox is given: with the flags that the user may set
// there. With inRecord \Seen is one of them.
func (a *arrival) append(r acl.Rights, inRecord bool) mailbox.Append {
	sys, keywords := splitFlags(a.flags)
	if !inRecord {
		sys &^= indexfile.Seen
	}
	m := mailbox.Append{File: a.file.Name(), Sync: a.file.Sync, Message: a.msg, Flags: sys & index.Settable(r), Annots: a.annot}
	if r&acl.Write != 0 {
		m.UserFlags = keywords
	}
	if !a.date.IsZero() {
		m.InternalDate = uint32(max(a.date.Unix(), 0))
	}
	return m
}

func (a *arrival) seen() bool {
	sys, _ := splitFlags(a.flags)
	return sys&indexfile.Seen != 0
}

// stageDir is where messages for a mailbox are staged.
func (srv *Server) stageDir(m *mailbox.Mailbox) (string, error) {
	e := m.Entry()
	return stage.New(srv.store).DirOf(e.Partition)
}
