package imapserver

import (
	"errors"
	"fmt"
	"strings"

	"gocyrus/lib/acl"
	"gocyrus/lib/charset"
	"gocyrus/lib/imapurl"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/mailbox"
)

// badURL is the error of a URL that leads to nothing: why, in Cyrus's words.
type badURL string

func (e badURL) Error() string { return string(e) }

const (
	errURLNoMailbox  = badURL("No mailbox is selected or specified")
	errURLElsewhere  = badURL("Cannot catenate messages from another server")
	errURLValidity   = badURL("Uidvalidity of mailbox has changed")
	errURLNoMessage  = badURL("No such message in mailbox")
	errURLNoPart     = badURL("No such message part")
	errURLNoRelative = badURL("Only relative URLs are supported")
)

// urlMailbox opens the mailbox of a URL, for one who may read there; one that names none
// is relative to the selected mailbox, or to current, as a client spells it. done closes
// it.
func (s *session) urlMailbox(u *imapurl.URL, current string) (mbox *mailbox.Mailbox, done func(), err error) {
	name := current
	switch {
	case u.Mailbox != "":
		if name, err = s.spell(u.Mailbox); err != nil {
			return nil, nil, err
		}
	case s.sel != nil:
		if err := s.present(); err != nil {
			return nil, nil, err
		}
		if s.sel.idx.Who().Rights&acl.Read == 0 {
			return nil, nil, errPermission
		}
		return s.sel.mbox, func() {}, nil
	case s.farSel != nil:
		return nil, nil, errURLElsewhere
	case name == "":
		return nil, nil, errURLNoMailbox
	}
	mbox, _, err = s.enter(name, acl.Read)
	if errors.As(err, new(*elsewhere)) {
		err = errURLElsewhere
	}
	if err != nil {
		return nil, nil, err
	}
	return mbox, mbox.Close, nil
}

// spell writes a name as this client would.
func (s *session) spell(utf8 string) (string, error) {
	if s.enabled&rev2 != 0 {
		return utf8, nil
	}
	return charset.EncodeUTF7(utf8)
}

// urlContent calls fn with what a URL means in a mailbox. The octets are valid until fn
// returns; nobody waits for the mailbox meanwhile.
func (s *session) urlContent(mbox *mailbox.Mailbox, u *imapurl.URL, fn func(data []byte) error) error {
	plan, ok := urlSection(u.Section)
	if !ok {
		return errURLNoPart
	}
	var data []byte
	var msg *mailbox.Message
	err := mbox.View(s.ctx, func(v *mailbox.View) (err error) {
		if u.UIDValidity != 0 && u.UIDValidity != v.UIDValidity() {
			return errURLValidity
		}
		recno, ok := v.Find(u.UID)
		if u.UID == 0 || !ok || !v.Raw(recno).Live() {
			return errURLNoMessage
		}
		c := content{raw: v.Raw(recno)}
		if c.cache, err = v.Cache(c.raw); err != nil {
			return err
		}
		if msg, err = mbox.OpenMessage(v, c.raw); err != nil {
			return err
		}
		c.file = msg.Bytes()
		data, ok, err = c.urlSection(plan)
		if err == nil && !ok {
			err = errURLNoPart
		}
		return err
	})
	if msg != nil {
		defer msg.Close()
	}
	if errors.Is(err, mailbox.ErrGone) {
		return errURLNoMessage
	}
	if err != nil {
		return err
	}
	return fn(u.Partial.Cut(data))
}

// urlSection reads the section of a URL.
//
// QUIRK: eM Client asks for TEXT.MIME, and means the header.
func urlSection(text string) (*sectionPlan, bool) {
	if strings.EqualFold(text, "TEXT.MIME") {
		text = "HEADER"
	}
	s, ok := imapwire.ParseSection(text)
	if !ok {
		return nil, false
	}
	plan := planSection(s)
	return &plan, true
}

func (c *content) urlSection(s *sectionPlan) ([]byte, bool, error) {
	if s.names == nil {
		return c.section(s)
	}
	header, ok, err := c.headerOf(s)
	return appendFields(nil, header, s.names, s.not), ok, err
}

// refuseURL is what a command answers to a URL that cannot be had (RFC 4469 section 5). Why
// that is, of a mailbox that the user may not see, is what SELECT would say.
func (s *session) refuseURL(url string, err error) error {
	if isFatal(err) {
		return err
	}
	why := badURL("")
	if !errors.As(err, &why) {
		why = badURL(strings.TrimPrefix(s.replyTo(err), "NO "))
	}
	return imapwire.No(fmt.Sprintf("[BADURL %s] %s", imapwire.AppendQuoted(nil, strings.Map(printable, url)), string(why)))
}
