package imapserver

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"gocyrus/lib/acl"
	"gocyrus/lib/annotate"
	"gocyrus/lib/config"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mappedfile"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/times"
)

var (
	errAnnotEntry  = imapwire.No("Invalid annotation entry")
	errAnnotSyntax = imapwire.No("Syntax error in parameters")
)

// storeMetadata sets annotations of a mailbox, or of the server with nil, all or
// none. That a value is what it is to be is no change, and needs no right.
func (s *session) storeMetadata(at *place, values []metadataValue) error {
	if at == nil {
		return s.storeServer(values)
	}
	set := make([]mboxops.Annotation, 0, len(values))
	for i := range values {
		v := &values[i]
		e, value, err := s.srv.annots.find(s.srv.annots.mailbox, v.entry, v.which(), v.value)
		if err != nil {
			return err
		}
		a := mboxops.Annotation{Entry: v.entry, Shared: !v.private, Data: []byte(value)}
		if err := e.prepare(&a, at, value); err != nil {
			return err
		}
		if !s.maySet(at, e, v) {
			a.Denied = fmt.Errorf("%s: %s: %w", at.name, v.entry, errPermission)
		}
		set = append(set, a)
	}
	return s.srv.ops.Annotate(s.ctx, s.user, at.name, s.srv.opts.SkipQuota, set)
}

// prepare makes a of a value whose entry does not lie in the database, and checks
// what the kind of the entry does not say.
func (e *entry) prepare(a *mboxops.Annotation, at *place, value string) error {
	switch {
	case e.option != 0:
		a.Header = func(h *indexfile.Header) bool {
			was := h.Options
			h.Options &^= e.option
			if value == "true" {
				h.Options |= e.option
			}
			return h.Options != was
		}
	case e.header != nil:
		var err error
		a.Header, err = e.header(value)
		return err
	case e.accept != nil:
		return e.accept(at, value)
	}
	return nil
}

// maySet says whether the user may set a value of a mailbox: what is one's own, on any
// that one may look up.
func (s *session) maySet(at *place, e *entry, v *metadataValue) bool {
	if v.private || s.rules(at.name) {
		return true
	}
	return at.need(acl.Lookup|acl.Read|acl.Write|e.rights) == nil
}

// showAfter sets from when on POP3 shows messages.
func showAfter(value string) (func(*indexfile.Header) bool, error) {
	var sec int64
	if value != "" {
		var err error
		if sec, err = times.Parse([]byte(value)); err != nil {
			return nil, errAnnotSyntax
		}
	}
	return func(h *indexfile.Header) bool {
		was := h.POP3ShowAfter
		h.POP3ShowAfter = uint32(sec)
		return h.POP3ShowAfter != was
	}, nil
}

// fuzzyAlways checks a value that is a switch, as imapd.conf has them, of an INBOX.
func fuzzyAlways(at *place, value string) error {
	if !at.name.IsInbox() {
		return errPermission
	}
	if _, err := config.ParseSwitch(value); err != nil && value != "" {
		return errAnnotEntry
	}
	return nil
}

// storeServer sets annotations of the server: everybody what is one's own.
func (s *session) storeServer(values []metadataValue) error {
	var changes []annotate.Change
	var files []func() error
	for i := range values {
		v := &values[i]
		e, value, err := s.srv.annots.find(s.srv.annots.server, v.entry, v.which(), v.value)
		if err != nil {
			return err
		}
		if e.file != "" {
			if !s.admin {
				return errPermission
			}
			files = append(files, func() error { return s.srv.writeMessage(e.file, value) })
			continue
		}
		c := annotate.Change{Key: annotate.Key{Entry: v.entry}}
		if v.private {
			c.User = s.user
		}
		if value != "" {
			c.Data = []byte(value)
		}
		old, _, err := s.srv.site.Annotations.Get(c.Key)
		if err != nil {
			return err
		}
		if string(old.Data) == value {
			continue
		}
		if !v.private && !s.admin {
			return errPermission
		}
		changes = append(changes, c)
	}
	if err := s.srv.site.Annotations.Apply(changes...); err != nil {
		return err
	}
	for _, write := range files {
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}

// msgFile is a file through which an administrator speaks to users.
func (srv *Server) msgFile(name string) string {
	return filepath.Join(srv.site.Config.Dir(), "msg", name)
}

// writeMessage replaces such a file, or removes it.
func (srv *Server) writeMessage(name, text string) error {
	path := srv.msgFile(name)
	if text == "" {
		if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return mappedfile.Replace(path, 0o644, func(w io.Writer) error {
		_, err := io.WriteString(w, text+"\n")
		return err
	})
}
