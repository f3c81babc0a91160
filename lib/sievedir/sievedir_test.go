package sievedir_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/config"
	"gocyrus/lib/guid"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/sievedir"
	"gocyrus/lib/site"
)

var ctx = context.Background()

// rig is a site with the INBOXes of alice and of bob@example.org.
type rig struct {
	*testing.T
	site *site.Site
	dir  *sievedir.Dir
}

func newRig(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf("configdirectory: %[1]s/conf\npartition-default: %[1]s/spool\ndefaultpartition: default\nadmins: cyrus\nservername: mail.example.com\nsievedir: %[1]s/sieve\nvirtdomains: userid\n", dir)
	cfg, err := config.Parse(strings.NewReader(text), "imapd.conf", "test")
	if err != nil {
		t.Fatal(err)
	}
	s, err := site.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, u := range []string{"alice", "bob@example.org"} {
		if _, err := s.Ops.Create(ctx, mboxops.Root("cyrus"), mboxname.Inbox(u), mboxops.CreateParams{}); err != nil {
			t.Fatal(err)
		}
	}
	return &rig{t, s, sievedir.New(sievedir.OptionsFrom(cfg), s.Ops)}
}

func (r *rig) put(user, name, text string) {
	r.Helper()
	if err := r.dir.Put(ctx, user, name, []byte(text)); err != nil {
		r.Fatal(err)
	}
}

// want compares the names of a user's scripts, the active one with a star.
func (r *rig) want(user, names string) {
	r.Helper()
	all, err := r.dir.List(ctx, user)
	if err != nil {
		r.Fatal(err)
	}
	var got []string
	for _, s := range all {
		n := s.Name
		if s.Active {
			n += "*"
		}
		got = append(got, n)
	}
	if g := strings.Join(got, "|"); g != names {
		r.Errorf("scripts of %s: %s, want %s", user, g, names)
	}
}

// files are the names in a user's script directory, links with their targets.
func (r *rig) files(user string) string {
	r.Helper()
	dir := r.path(user)
	entries, err := os.ReadDir(dir)
	if err != nil {
		r.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		n := e.Name()
		if to, err := os.Readlink(filepath.Join(dir, n)); err == nil {
			n += "->" + to
		}
		all = append(all, n)
	}
	return strings.Join(all, " ")
}

func (r *rig) path(user string) string {
	return r.site.Layout.SieveUserDir(user, r.site.Ops.InboxID(user))
}

// compile leaves a compiled form, as a Cyrus that ran the script at a time would.
func (r *rig) compile(user, name string, at time.Time) {
	r.Helper()
	file := filepath.Join(r.path(user), name+".bc")
	err := os.WriteFile(file, []byte("CyrSBytecode"), 0o600)
	if err := errors.Join(err, os.Chtimes(file, at, at)); err != nil {
		r.Fatal(err)
	}
}

// TestScripts goes through the life of a user's scripts.
func TestScripts(t *testing.T) {
	r := newRig(t)
	r.want("alice", "")
	r.put("alice", "main", "keep;\r\n")
	r.put("alice", "away", "discard;\r\n")
	r.want("alice", "main|away")
	if err := r.dir.Activate(ctx, "alice", "main"); err != nil {
		t.Fatal(err)
	}
	r.want("alice", "main*|away")
	r.put("alice", "main", "stop;\r\n") // stays active, and in its place
	r.want("alice", "main*|away")
	s, text, err := r.dir.Get(ctx, "alice", "main")
	if err != nil || string(text) != "stop;\r\n" || s.GUID != guid.Of(text) || !s.Active || s.UID != 3 {
		t.Errorf("Get: %+v, %q, %v", s, text, err)
	}
	if d := time.Now().Unix() - int64(s.LastUpdate); d < 0 || d > 60 {
		t.Errorf("stored %d s ago", d)
	}
	if err := r.dir.Activate(ctx, "alice", "away"); err != nil {
		t.Fatal(err)
	}
	r.want("alice", "main|away*")
	if err := r.dir.Deactivate(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	r.want("alice", "main|away")
	if err := r.dir.Delete(ctx, "alice", "main"); err != nil {
		t.Fatal(err)
	}
	r.want("alice", "away")
	r.want("bob@example.org", "")
}

// TestErrors are the calls that change nothing.
func TestErrors(t *testing.T) {
	r := newRig(t)
	r.put("alice", "main", "keep;\r\n")
	for _, tc := range []struct {
		name string
		err  error
		want error
	}{
		{"slash", r.dir.Put(ctx, "alice", "../x", nil), sievedir.ErrName},
		{"no name", r.dir.Put(ctx, "alice", "", nil), sievedir.ErrName},
		{"NUL", r.dir.Put(ctx, "alice", "a\x00b", nil), sievedir.ErrName},
		{"long", r.dir.Put(ctx, "alice", strings.Repeat("x", 1014), nil), sievedir.ErrName},
		{"no user", r.dir.Put(ctx, "nobody", "x", nil), sievedir.ErrNoUser},
		{"delete", r.dir.Delete(ctx, "alice", "x"), sievedir.ErrNotFound},
		{"activate", r.dir.Activate(ctx, "alice", "x"), sievedir.ErrNotFound},
		{"deactivate", r.dir.Deactivate(ctx, "alice"), nil},
		{"nobody's", r.dir.Deactivate(ctx, "nobody"), nil},
	} {
		if !errors.Is(tc.err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, tc.err, tc.want)
		}
	}
	for _, user := range []string{"alice", "nobody", "bob@example.org"} {
		if _, _, err := r.dir.Get(ctx, user, "x"); !errors.Is(err, sievedir.ErrNotFound) {
			t.Errorf("Get of %s: %v", user, err)
		}
	}
	r.want("alice", "main")
}

// TestSameText checks that storing a text again is no change.
func TestSameText(t *testing.T) {
	r := newRig(t)
	r.put("alice", "main", "keep;\r\n")
	before, _, err := r.dir.Get(ctx, "alice", "main")
	if err != nil {
		t.Fatal(err)
	}
	r.put("alice", "main", "keep;\r\n")
	if after, _, err := r.dir.Get(ctx, "alice", "main"); err != nil || after != before {
		t.Errorf("%+v, %v; before %+v", after, err, before)
	}
}

// TestMessage compares the message with one that 3.6.1 made of the same script.
func TestMessage(t *testing.T) {
	r := newRig(t)
	r.put("alice", "main", "keep;\r\n")
	r.put("bob@example.org", "main", "keep;\r\n")
	real, err := os.ReadFile("testdata/cyrus-3.6.1.eml")
	if err != nil {
		t.Fatal(err)
	}
	for user, from := range map[string]string{"alice": "alice@mail.example.com", "bob@example.org": "bob@example.org"} {
		e, err := r.site.List.Lookup(r.dir.Mailbox(user))
		if err != nil {
			t.Fatal(err)
		}
		if e.Type != "f" || !strings.HasPrefix(e.ACL, user+"\tlrswipkxtecdan\t") {
			t.Errorf("mailbox of type %q, ACL %q", e.Type, e.ACL)
		}
		m, err := r.site.Mailboxes.Open(ctx, e)
		if err != nil {
			t.Fatal(err)
		}
		msg, err := m.OpenFile(1, false)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Replace(string(real), "alice@mail.example.com", from, 1)
		if got := masked(string(msg.Bytes())); got != masked(want) {
			t.Errorf("%s\nwant\n%s", got, masked(want))
		}
		msg.Close()
		m.Close()
	}
}

// masked replaces what is another in every message: time and id.
func masked(msg string) string {
	lines := strings.Split(msg, "\r\n")
	for i, l := range lines {
		switch {
		case strings.HasPrefix(l, "Date: "):
			if _, err := time.Parse("Mon, 02 Jan 2006 15:04:05 -0700", l[6:]); err == nil {
				lines[i] = "Date: TIME"
			}
		case strings.HasPrefix(l, "\tfilename=\"") && strings.HasSuffix(l, ".sieve\""):
			if id := l[len("\tfilename=\"") : len(l)-len(".sieve\"")]; len(id) == 24 || len(id) == 36 {
				lines[i] = "\tfilename=\"ID.sieve\""
			}
		}
	}
	return strings.Join(lines, "\r\n")
}

// TestNames checks that scripts are found again by names that a header field
// cannot have as they are.
func TestNames(t *testing.T) {
	r := newRig(t)
	names := []string{
		"müller", strings.Repeat("word ", 30) + "x", strings.Repeat("ü", 60), "日本語スクリプト", "=?x", "=?UTF-8?Q?x?=",
		"under_score ü?", "tab\tü", "  lead", "trail ", "two  blanks", `quote"x`, "😀 smile", "x: y=z \"ö\" <a@b>", "urn:ietf:x",
	}
	for i, n := range names {
		r.put("alice", n, fmt.Sprintf("# %d\r\n", i))
	}
	r.want("alice", strings.Join(names, "|"))
	for i, n := range names {
		if _, text, err := r.dir.Get(ctx, "alice", n); err != nil || string(text) != fmt.Sprintf("# %d\r\n", i) {
			t.Errorf("%q: %q, %v", n, text, err)
		}
	}
}

// TestFiles checks that the directory follows: the link to the active script, and
// nothing compiled that is older than its script.
func TestFiles(t *testing.T) {
	r := newRig(t)
	later := time.Now().Add(time.Hour)
	r.put("alice", "main", "keep;\r\n")
	r.put("alice", "away", "keep;\r\n")
	r.compile("alice", "main", later)
	r.compile("alice", "away", later)
	r.compile("alice", "cruft", later)
	if err := r.dir.Activate(ctx, "alice", "main"); err != nil {
		t.Fatal(err)
	}
	step := func(what, want string) {
		t.Helper()
		if got := r.files("alice"); got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	step("activated", "away.bc defaultbc->main.bc main.bc")
	r.put("alice", "main", "stop;\r\n")
	step("replaced", "away.bc defaultbc->main.bc")
	r.compile("alice", "main", later)
	if err := r.dir.Activate(ctx, "alice", "away"); err != nil {
		t.Fatal(err)
	}
	step("another", "away.bc defaultbc->away.bc main.bc")
	if err := r.dir.Delete(ctx, "alice", "away"); err != nil {
		t.Fatal(err)
	}
	step("deleted", "main.bc")
}

// TestRefresh checks that a mailbox which replication has changed is followed.
func TestRefresh(t *testing.T) {
	r := newRig(t)
	r.put("alice", "main", "keep;\r\n")
	r.compile("alice", "main", time.Now().Add(-time.Minute))
	e, err := r.site.List.Lookup(r.dir.Mailbox("alice"))
	if err != nil {
		t.Fatal(err)
	}
	var source *mailbox.Source
	m, err := r.site.Mailboxes.Open(ctx, e)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.View(ctx, func(v *mailbox.View) error { source, err = v.Source(1); return err }); err != nil {
		t.Fatal(err)
	}
	err = m.Update(ctx, func(tx *mailbox.Tx) error {
		_, _, err := tx.Append(mailbox.Append{From: source, Flags: source.Record.Flags | 1<<1})
		return errors.Join(err, tx.Expunge(1))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.dir.Refresh(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	r.want("alice", "main*")
	if got := r.files("alice"); got != "defaultbc->main.bc" {
		t.Errorf("files %s", got)
	}
	if err := r.dir.Refresh(ctx, "nobody"); err != nil {
		t.Errorf("of nobody: %v", err)
	}
}

// TestMigrate takes over the files of a Cyrus before 3.6.
func TestMigrate(t *testing.T) {
	r := newRig(t)
	dir := r.path("alice")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"a.script": "keep;\n", "jmap_vacation.script": "stop;\n", "a.bc": "x", "note.txt": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a.bc", filepath.Join(dir, "defaultbc")); err != nil {
		t.Fatal(err)
	}
	r.put("alice", "new", "keep;\r\n")
	r.want("alice", "a*|urn:ietf:params:jmap:vacationresponse|new")
	if s, text, err := r.dir.Get(ctx, "alice", "a"); err != nil || string(text) != "keep;\n" {
		t.Errorf("%+v %q %v", s, text, err)
	}
	if got := r.files("alice"); got != "defaultbc->a.bc note.txt" {
		t.Errorf("files %s", got)
	}
}
