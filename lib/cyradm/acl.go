package cyradm

import (
	"errors"
	"slices"
	"strings"
)

// Grant is what a mailbox lets one identifier do.
type Grant struct{ ID, Rights string }

// rightsWords are names that may stand for letters.
var rightsWords = map[string]string{
	"none": "", "read": "lrs", "post": "lrsp", "append": "lrsip",
	"write": "lrswipkxte", "delete": "lrxte", "all": "lrswipkxtea",
}

// ACL returns the grants of a mailbox by identifier.
func (a *Admin) ACL(mailbox string) ([]Grant, error) {
	var grants []Grant
	err := a.parsed("ACL", func(vs []value) {
		if len(vs) == 0 || vs[0].text != mailbox {
			return
		}
		for pair := range slices.Chunk(vs[1:], 2) {
			if len(pair) == 2 {
				grants = append(grants, Grant{pair[0].text, pair[1].text})
			}
		}
	}, raw("GETACL"), mailbox)
	slices.SortFunc(grants, func(x, y Grant) int { return strings.Compare(x.ID, y.ID) })
	return grants, err
}

// SetACL sets grants, one by one. Rights are letters, with + or - before them
// to change what is there, or one of the words. The error joins those of all
// that failed: "id: rights: text".
func (a *Admin) SetACL(mailbox string, grants []Grant) error {
	var errs []error
	for _, g := range grants {
		if letters, ok := rightsWords[g.Rights]; ok {
			g.Rights = letters
		}
		err := a.referred(func(b *Admin, _ bool) error {
			return b.command(nil, raw("SETACL"), mailbox, g.ID, g.Rights)
		})
		if err = of(g.ID+": "+g.Rights, err); err != nil {
			errs = append(errs, err)
		}
		if errors.Is(err, ErrLost) {
			break
		}
	}
	return errors.Join(errs...)
}

// DeleteACL takes away the grants of ids, or of all when an id is "*".
func (a *Admin) DeleteACL(mailbox string, ids []string) error {
	if slices.Contains(ids, "*") {
		grants, err := a.ACL(mailbox)
		if err != nil {
			return err
		}
		ids = nil
		for _, g := range grants {
			ids = append(ids, g.ID)
		}
	}
	var errs []error
	for _, id := range ids {
		err := a.referred(func(b *Admin, _ bool) error {
			return b.command(nil, raw("DELETEACL"), mailbox, id)
		})
		if err = of(id, err); err != nil {
			errs = append(errs, err)
		}
		if errors.Is(err, ErrLost) {
			break
		}
	}
	return errors.Join(errs...)
}

// of says whose error it is.
func of(whose string, err error) error {
	if err == nil {
		return nil
	}
	return &ofError{whose, err}
}

type ofError struct {
	whose string
	err   error
}

func (e *ofError) Error() string { return e.whose + ": " + e.err.Error() }
func (e *ofError) Unwrap() error { return e.err }
