package imapserver

import (
	"errors"
	"io"
	"strings"

	"gocyrus/lib/imapurl"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/spool"
)

var (
	errCatParts  = imapwire.Bad("Missing message part(s) in Append command")
	errCatData   = imapwire.Bad("Missing message part data in Append command")
	errCatURL    = imapwire.Bad("Missing URL in Append command")
	errCatType   = imapwire.Bad("Invalid message part type in Append command")
	errCatClose  = imapwire.Bad("Missing space or ) after catenate list in Append command")
	errCatTooBig = appendRefusal(spool.ErrTooBig)
)

// catenate reads a message that is put together of literals and of pieces of messages that
// are here already (RFC 4469).
func (in *incoming) catenate(p *imapwire.Parser, a *arrival) error {
	if word, _, err := p.Word(); err != nil || !strings.EqualFold(word, "CATENATE") {
		return firstOf(err, errAppendMissing)
	}
	if err := p.SP(); err != nil {
		return appendError(err, errCatParts)
	}
	if ok, err := p.Accept('('); err != nil || !ok {
		return firstOf(err, errCatParts)
	}
	a.file = spool.New(in.dir, spool.Append, in.s.srv.opts.Spool)
	left := in.s.srv.opts.MaxMessage
	for {
		var err error
		if left, err = in.piece(p, a, left); err != nil {
			return err
		}
		more, err := p.Accept(' ')
		if err != nil {
			return err
		}
		if !more {
			break
		}
	}
	if ok, err := p.Accept(')'); err != nil || !ok {
		return firstOf(err, errCatClose)
	}
	if in.refused != nil {
		return nil
	}
	if err := in.finish(a); err != nil {
		in.refused = appendRefusal(err)
	}
	return nil
}

// piece reads one part, of at most left octets, and returns how many may still come.
func (in *incoming) piece(p *imapwire.Parser, a *arrival, left int64) (int64, error) {
	word, _, err := p.Word()
	if err != nil {
		return 0, err
	}
	if err := p.SP(); err != nil {
		return 0, appendError(err, errCatData)
	}
	switch strings.ToUpper(word) {
	case "TEXT":
		return in.text(p, a, left)
	case "URL":
		url, err := p.AString()
		if err != nil {
			return 0, appendError(err, errCatURL)
		}
		if in.refused != nil {
			return left, nil
		}
		return in.quote(a, url, left)
	}
	return 0, errCatType
}

// text takes a literal into the message. One that cannot be stored is read all the same
// if the client does not wait for an invitation: the stream must stay in step.
func (in *incoming) text(p *imapwire.Parser, a *arrival, left int64) (int64, error) {
	binary, l, err := in.literalHeader(p)
	switch {
	case err != nil:
		return 0, err
	case in.refused != nil && l.Sync: // before the client sends it in vain
		return 0, in.refuse(p, l, in.refused)
	case l.Size > left:
		return 0, in.refuse(p, l, errCatTooBig)
	}
	if err := p.Invite(l); err != nil {
		return 0, err
	}
	if in.refused != nil {
		return left, p.Conn().CopyN(io.Discard, l.Size)
	}
	if binary {
		a.file.AllowBinary()
	}
	if err := p.Conn().CopyN(a.file, l.Size); err != nil {
		if isFatal(err) {
			return 0, err
		}
		in.refused = appendRefusal(err)
	}
	return left - l.Size, nil
}

// quote takes what a URL means into the message.
func (in *incoming) quote(a *arrival, text string, left int64) (int64, error) {
	u, err := imapurl.Parse(text)
	switch {
	case err != nil:
		err = badURL("Improperly specified URL")
	case u.Server != "":
		err = errURLNoRelative
	default:
		left, err = in.copyURL(a, u, left)
	}
	if err == nil || isFatal(err) {
		return left, err
	}
	if refusal := appendRefusal(err); errors.As(refusal, new(imapwire.No)) {
		in.refused = refusal
	} else {
		in.refused = in.s.refuseURL(text, err)
	}
	return left, nil
}

func (in *incoming) copyURL(a *arrival, u *imapurl.URL, left int64) (int64, error) {
	mbox, done, err := in.s.urlMailbox(u, in.current)
	if err != nil {
		return left, err
	}
	defer done()
	err = in.s.urlContent(mbox, u, func(data []byte) error {
		if left -= int64(len(data)); left < 0 {
			return spool.ErrTooBig
		}
		_, err := a.file.Write(data)
		return err
	})
	return left, err
}
