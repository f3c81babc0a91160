package synclog

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/config"
	"gocyrus/lib/cyrustest"
	"gocyrus/lib/synclog"
)

// actor does the steps on a server of ours.
type actor struct {
	t    *testing.T
	srv  *cyrustest.Server
	opt  synclog.Options
	user string
	imap *cyrustest.Raw
	ids  map[string]string // unique ids, by the CREATE that made them
}

func newActor(t *testing.T) *actor {
	srv := cyrustest.Start(t, cyrustest.Options{Imapd: []string{"sync_log: yes", "altnamespace: yes", "anyoneuseracl: yes", "allowusermoves: yes"}})
	srv.SetPassword("evt")
	srv.SetPassword("evt2")
	cfg, err := config.Load(srv.Conf, "imap")
	if err != nil {
		t.Fatal(err)
	}
	return &actor{t: t, srv: srv, opt: synclog.OptionsFrom(cfg), ids: map[string]string{}}
}

// taken takes what was logged. The answer to a command comes after its entry.
func (a *actor) taken() (lines []string) {
	a.t.Helper()
	taken, err := synclog.Take(a.opt, "")
	if err != nil {
		a.t.Fatal(err)
	}
	if taken == nil {
		return nil
	}
	b, err := os.ReadFile(taken.Path)
	if err != nil {
		a.t.Fatal(err)
	}
	if err := taken.Done(); err != nil {
		a.t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// as is the connection of a user, the one before having ended.
func (a *actor) as(user string) *cyrustest.Raw {
	a.t.Helper()
	if a.user == user {
		return a.imap
	}
	if a.imap != nil {
		if _, err := a.imap.Command("z LOGOUT", "z OK"); err != nil {
			a.t.Fatal(err)
		}
		a.imap.Close()
	}
	a.user, a.imap = user, a.srv.Dial(a.srv.IMAP)
	if _, err := a.imap.Line(); err != nil {
		a.t.Fatal(err)
	}
	login := user
	if user == "admin" {
		login = cyrustest.Admin
	}
	if _, err := a.imap.Command("l LOGIN "+login+" "+cyrustest.Password, "l OK"); err != nil {
		a.t.Fatal(err)
	}
	a.taken()
	return a.imap
}

// command does a step of IMAP; the answer must be OK.
func (a *actor) command(s step) error {
	c, text := a.as(s.user), s.text
	if head, ok := strings.CutSuffix(text, "{..}"); ok {
		msg := cyrustest.Message(text)
		if _, err := c.Command(fmt.Sprintf("a %s{%d}", head, len(msg)), "+"); err != nil {
			return err
		}
		if _, err := c.Write(msg); err != nil {
			return err
		}
		text = ""
	} else {
		text = "a " + text
	}
	answer, err := c.Command(text, "a ")
	if err != nil {
		return err
	}
	last := answer[len(answer)-1]
	if !strings.HasPrefix(last, "a OK") {
		return fmt.Errorf("answer %q", last)
	}
	if m := mailboxID.FindStringSubmatch(last); m != nil {
		a.ids[m[1]] = s.text
	}
	return nil
}

// other are the steps that are none of IMAP, by the beginning of their description.
// What we have no program for yet is not there.
var other = map[string]func(a *actor) error{
	"LMTP delivery to evt and evt2": func(a *actor) error {
		a.srv.Deliver(cyrustest.Message("to two"), "evt", "evt2")
		return nil
	},
	"POP3 login, RETR, QUIT as evt":   func(a *actor) error { return a.pop("RETR 1", ".") },
	"POP3 DELE 1, QUIT as evt":        func(a *actor) error { return a.pop("DELE 1", "+OK") },
	"unexpunge / reconstruct / quota": func(*actor) error { return nil },
}

// pop does one command in a POP3 session.
func (a *actor) pop(line, until string) error {
	c := a.srv.Dial(a.srv.POP3)
	defer c.Close()
	if _, err := c.Line(); err != nil {
		return err
	}
	for _, l := range [][2]string{{"USER evt", "+OK"}, {"PASS " + cyrustest.Password, "+OK"}, {line, until}, {"QUIT", "+OK"}} {
		if _, err := c.Command(l[0], l[1]); err != nil {
			return err
		}
	}
	return nil
}

// differences are what we do not log as Cyrus 3.6.1 does, and why, by the command.
var differences = map[string]struct {
	missing []string
	why     string
}{
	`SELECT "Other Users/evt"`: {[]string{"MAILBOX user.evt"}, "nothing of the mailbox changes, but for Cyrus's touching it"},
}

func TestEvents(t *testing.T) {
	a := newActor(t)
	theirs := map[string]string{}
	for _, s := range recording(t) {
		if s.id != "" {
			theirs[s.id] = s.text
		}
		do := func() error { return a.command(s) }
		if s.user == "" {
			f := other[s.text]
			if f == nil {
				continue
			}
			do = func() error { return f(a) }
		}
		t.Run(s.text, func(t *testing.T) {
			if err := do(); err != nil {
				t.Fatal(err)
			}
			want, got := names(s.log, theirs), names(a.taken(), a.ids)
			for l := range want {
				if !got[l] && !slices.Contains(differences[s.text].missing, l) {
					t.Errorf("not logged: %s", l)
				}
			}
			for l := range got {
				if !want[l] {
					t.Errorf("logged without need: %s", l)
				}
			}
		})
	}
	if _, err := os.Stat(filepath.Join(a.opt.Dir, "log-run")); !os.IsNotExist(err) {
		t.Errorf("log-run: %v", err)
	}
}
