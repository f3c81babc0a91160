package spool_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestBack lets ours change the spools of 3.6.1 and gives them back: the real
// server must say of every mailbox what ours said, and its tools must find
// nothing to mend.
func TestBack(t *testing.T) {
	needReal(t)
	for _, f := range fixtures {
		if !f.old {
			continue // there is no real 3.10 to ask
		}
		t.Run(f.name, func(t *testing.T) {
			dir := f.unpack(t)
			s := f.serve(t, dir)
			f.change(t, s.addr)
			users := append(slices.Clone(f.users), "newcomer")
			want := take(t, s.addr, users)
			s.stop()
			handBack(t, s)
			real := start(t, dir, f.imapdConf(t, dir), realBin, realMaster)
			got := take(t, real.addr, users)
			check(t, got, want, append(slices.Clone(ofTheRun), of36...))
			f.rebuild(real) // which gives messages a thread, and so a new modseq
			real.stop()
			nothingToMend(t, real, f.excused())
		})
	}
}

// handBack converts what real Cyrus keeps in another format, as on-disk format
// notes and manual say, and removes what it builds anew.
func handBack(t testing.TB, s *server) {
	t.Helper()
	db := filepath.Join(s.dir, "conf", "mailboxes.db")
	s.tool("cvt_cyrusdb", db, "leveldb", db+".twoskip", "twoskip")
	if err := os.RemoveAll(db); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(db+".twoskip", db); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"statuscache.db", "tls_sessions.db"} {
		if err := os.RemoveAll(filepath.Join(s.dir, "conf", name)); err != nil {
			t.Fatal(err)
		}
	}
}

// rebuild makes the databases of conversations anew, which ours does not keep.
func (f *fixture) rebuild(real *server) {
	if !f.classic() {
		return
	}
	for _, args := range [][]string{{"-b", "-r"}, {"-R", "-r"}} {
		for _, user := range f.users {
			real.tool("ctl_conversationsdb", append(args, user)...)
		}
	}
}

var (
	mailboxLine = regexp.MustCompile(`^(checking: |Examining partition: )?[^:]*$`)
	quotaLine   = regexp.MustCompile(`^ *[0-9]* +[0-9]* +[0-9]+ +\S+ \S+$|Quota +% Used`)
)

// excused is what the real tools have to say of the spool as it came: an index of
// a version before 13 has no place for the sums that are meant, and so counts
// nothing in the quota.
func (f *fixture) excused() *regexp.Regexp {
	if f.name != "cyrus-3.6.1-oldindex" {
		return nil
	}
	return regexp.MustCompile(`^user\.alice\.(Kept|New\.Body of text):? updating (quota_annot_used:|sync_crc_annot) 0 => \d+$` +
		`|^user\.alice: X-ANNOTATION-STORAGE usage was \d+, now \d+$`)
}

// nothingToMend runs the real tools: each line that is not the name of a mailbox
// that is being looked at, or a line of the table, is a complaint.
func nothingToMend(t testing.TB, real *server, excused *regexp.Regexp) {
	t.Helper()
	for _, run := range []struct {
		tool string
		args []string
		fine *regexp.Regexp
	}{
		{"reconstruct", []string{"-n", "-G"}, mailboxLine},
		{"reconstruct", []string{"-n", "-G", "-r", "user"}, mailboxLine},
		{"chk_cyrus", nil, mailboxLine},
		{"quota", nil, quotaLine},
		{"quota", []string{"-f", "-n"}, quotaLine},
		{"cyr_dbtool", []string{filepath.Join(real.dir, "conf", "mailboxes.db"), "twoskip", "consistent"}, regexp.MustCompile(`^(Yes|OK|yes).*|.*consistent.*$`)},
	} {
		out := real.tool(run.tool, run.args...)
		if out == "" {
			t.Errorf("%s %q says nothing", run.tool, run.args)
		}
		for line := range strings.Lines(out) {
			if line = strings.TrimRight(line, "\n"); line != "" && !run.fine.MatchString(line) &&
				(excused == nil || !excused.MatchString(line)) {
				t.Errorf("%s %q: %s", run.tool, run.args, line)
			}
		}
	}
}
