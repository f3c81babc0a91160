package syncserver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gocyrus/lib/csync"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/sievedir"
)

// Scripts travel as such to and from masters that do not replicate the mailbox that
// they are kept in.

// Names of scripts on the wire have an ending: the text of one has one, and
// another, the compiled form, stands for its being active.
const (
	textSuffix     = ".script"
	compiledSuffix = ".bc"
)

// scriptItems appends the scripts of a user.
func (s *Session) scriptItems(ctx context.Context, userid string, a *Answer) error {
	list, err := s.e.scripts.List(ctx, userid)
	if err != nil {
		return err
	}
	for _, sc := range list {
		lines := []csync.Script{{FileName: sc.Name + textSuffix, LastUpdate: int64(sc.LastUpdate), GUID: sc.GUID}}
		if sc.Active {
			lines = append(lines, csync.Script{FileName: sc.Name + compiledSuffix, Active: true})
		}
		for _, l := range lines {
			if err := a.item("SIEVE", func(dst []byte) []byte { return l.Append(dst, csync.FromServer) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// getScript is GET FETCH_SIEVE.
func (s *Session) getScript(ctx context.Context, value []byte, a *Answer) error {
	w, name, ok, err := script(value, textSuffix)
	if err != nil {
		return err
	}
	if !ok {
		return csync.ErrNonexistent
	}
	_, w.Content, err = s.e.scripts.Get(ctx, w.UserID, name)
	if errors.Is(err, sievedir.ErrNotFound) {
		return csync.ErrNonexistent
	}
	if err != nil {
		return err
	}
	w.HasContent, w.HasUpdate = true, false
	return a.item("SIEVE", func(dst []byte) []byte { return w.Append(dst, csync.FromServer) })
}

// script reads a command about one script, whose name on the wire has to end in
// suffix; ok says whether it does.
func script(value []byte, suffix string) (w *csync.Sieve, name string, ok bool, err error) {
	w, err = csync.ParseSieve(value)
	if err != nil {
		return nil, "", false, err
	}
	if err := checkUser(w.UserID); err != nil {
		return nil, "", false, err
	}
	if w.FileName == "" {
		return nil, "", false, csync.ErrBadParameters
	}
	name, ok = strings.CutSuffix(w.FileName, suffix)
	return w, name, ok && name != "", nil
}

// putScript is APPLY SIEVE. What is not the text of a script is passed over.
func (s *Session) putScript(ctx context.Context, value []byte, _ *Answer) error {
	w, name, ok, err := script(value, textSuffix)
	if err != nil || !ok {
		return err
	}
	if !w.HasContent || !w.HasUpdate {
		return csync.ErrBadParameters
	}
	return s.e.scripts.Put(ctx, w.UserID, name, w.Content)
}

// deleteScript is APPLY UNSIEVE.
func (s *Session) deleteScript(ctx context.Context, value []byte, _ *Answer) error {
	w, name, ok, err := script(value, textSuffix)
	if err != nil || !ok {
		return err
	}
	return s.e.scripts.Delete(ctx, w.UserID, name)
}

// activateScript is APPLY ACTIVATE_SIEVE.
func (s *Session) activateScript(ctx context.Context, value []byte, _ *Answer) error {
	w, name, ok, err := script(value, compiledSuffix)
	if err != nil || !ok {
		return err
	}
	return s.e.scripts.Activate(ctx, w.UserID, name)
}

// deactivateScript is APPLY UNACTIVATE_SIEVE.
func (s *Session) deactivateScript(ctx context.Context, value []byte, _ *Answer) error {
	w, err := csync.ParseSieve(value)
	if err != nil {
		return err
	}
	if err := checkUser(w.UserID); err != nil {
		return err
	}
	if _, err := s.e.live(mboxname.Inbox(w.UserID)); err != nil {
		return fmt.Errorf("%w: %s has no mailbox", csync.ErrUnknown, w.UserID)
	}
	return s.e.scripts.Deactivate(ctx, w.UserID)
}
