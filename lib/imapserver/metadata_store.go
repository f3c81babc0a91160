package imapserver

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"gocyrus/lib/acl"
	"gocyrus/lib/annotate"
	"gocyrus/lib/imapwire"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/quota"
)

var errMetaValue = imapwire.No("Invalid annotation value")

// storeMetadata sets annotations: all are checked before the first is set.
func (s *session) storeMetadata(at *place, values []metadataValue) error {
	table := serverEntries
	if at != nil {
		table = mailboxEntries
	}
	for i := range values {
		v := &values[i]
		if v.def = define(table, v); v.def == nil {
			return errPermission
		}
		if err := s.maySet(at, v); err != nil {
			return err
		}
		if !v.unset && v.def.check != nil && !v.def.check(v.value) {
			return errMetaValue
		}
	}
	if err := s.storeSpecial(at, values); err != nil {
		return err
	}
	return s.storeAnnotations(at, values)
}

// define finds the entry that v sets; nil for one that is not defined or cannot
// be set.
func define(table []entry, v *metadataValue) *entry {
	for i := range table {
		e := &table[i]
		if e.name != v.entry || e.computed != nil || e.name == specialUse && !v.private {
			continue
		}
		if v.private && e.private || !v.private && e.shared {
			return e
		}
	}
	return nil
}

// maySet says whether the user may set an annotation: on a mailbox by rights, on
// the server what is private to oneself.
func (s *session) maySet(at *place, v *metadataValue) error {
	if at == nil {
		if !v.private && !s.admin {
			return errPermission
		}
		return nil
	}
	if s.rules(at.name) {
		return nil
	}
	need := acl.Read | v.def.rights
	if !v.private {
		need |= acl.Write
	}
	return at.need(need)
}

// storeSpecial sets the values that lie elsewhere than in the database: special
// use, properties of a mailbox, files for the administrator.
func (s *session) storeSpecial(at *place, values []metadataValue) error {
	var set, clear indexfile.Options
	for i := range values {
		v := &values[i]
		switch {
		case v.entry == specialUse:
			if err := s.srv.ops.SetSpecialUse(s.ctx, s.asker(), at.name, strings.Fields(v.value)); err != nil {
				return err
			}
		case v.def.file != "":
			if err := s.srv.writeMessage(v); err != nil {
				return err
			}
		case v.def.option != 0:
			if on, _ := switchValue(v.value); on {
				set |= v.def.option
			} else {
				clear |= v.def.option
			}
		}
	}
	if set|clear == 0 {
		return nil
	}
	m, err := s.srv.store.Open(s.ctx, at.entry)
	if err != nil {
		return err
	}
	defer m.Close()
	return m.Update(s.ctx, func(tx *mailbox.Tx) error {
		h := tx.Header()
		h.Options = h.Options&^clear | set
		return nil
	})
}

// storeAnnotations sets the others in one step.
func (s *session) storeAnnotations(at *place, values []metadataValue) error {
	var changes []annotate.Change
	for i := range values {
		v := &values[i]
		if v.entry == specialUse || v.def.file != "" || v.def.option != 0 {
			continue
		}
		c := annotate.Change{Key: annotate.Key{Entry: v.entry}}
		if at != nil {
			c.Scope = at.entry.UniqueID
		}
		if v.private {
			c.User = s.annotUser(at)
		}
		if !v.unset {
			c.Data = append([]byte{}, v.value...)
		}
		changes = append(changes, c)
	}
	if len(changes) == 0 {
		return nil
	}
	if at == nil {
		return s.srv.site.Annotations.Apply(changes...)
	}
	return s.applyAnnotations(at, changes)
}

// applyAnnotations sets annotations of a mailbox, whose index header and quota
// root count the octets of their values.
func (s *session) applyAnnotations(at *place, changes []annotate.Change) error {
	m, err := s.srv.store.Open(s.ctx, at.entry)
	if err != nil {
		return err
	}
	defer m.Close()
	return m.Update(s.ctx, func(tx *mailbox.Tx) error {
		var delta int64
		for _, c := range changes {
			old, _, err := s.srv.site.Annotations.Get(c.Key)
			if err != nil {
				return err
			}
			delta += int64(len(c.Data)) - int64(len(old.Data))
		}
		if !s.srv.opts.SkipQuota {
			if err := tx.CheckQuota(quota.Usage{quota.AnnotationStorage: delta}); err != nil {
				return err
			}
		}
		h := tx.Header()
		h.AnnotUsed = uint32(max(int64(h.AnnotUsed)+delta, 0))
		return s.srv.site.Annotations.Apply(changes...)
	})
}

// msgFile is a file through which an administrator speaks to users.
func (srv *Server) msgFile(name string) string {
	return filepath.Join(srv.site.Config.Dir(), "msg", name)
}

// writeMessage replaces such a file, or removes it.
func (srv *Server) writeMessage(v *metadataValue) error {
	path := srv.msgFile(v.def.file)
	if v.unset {
		if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", []byte(v.value+"\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
