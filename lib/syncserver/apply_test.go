package syncserver

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/csync"
	"gocyrus/lib/guid"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/message"
)

const (
	ok       = "OK success"
	checksum = "NO IMAP_SYNC_CHECKSUM Checksum Failure"
	moved    = "NO IMAP_MAILBOX_MOVED Mailbox exists with another name or uniqueid"
	changed  = "NO IMAP_SYNC_CHANGED Changed since last sync"
	unknown  = "NO Unknown error"
	badParam = "NO IMAP_PROTOCOL_BAD_PARAMETERS"
	nobox    = "NO IMAP_MAILBOX_NONEXISTENT No Such Mailbox"
)

// put makes m on the replica.
func (m *model) put(t *testing.T, p *peer) {
	t.Helper()
	p.want(m.messages(0), ok)
	p.want(m.apply(0), ok)
}

// TestNothingOrAll applies changes of which one cannot be: the mailbox stays as it
// was, to the last modseq and flag name.
func TestNothingOrAll(t *testing.T) {
	srv := testServer(t, "")
	p := signIn(t, dialer(t, srv, "tcp"))
	m := newModel("user.alice", "nothingorall")
	m.append("Subject: 1\r\n\r\n")
	m.append("Subject: 2\r\n\r\n", `\Seen`)
	m.put(t, p)
	before := m.full()
	for _, tc := range []struct {
		name, answer string
		change       func(m *model)
	}{
		{"a message that was not sent", unknown, func(m *model) {
			m.touch(0, func(r *csync.Record) { r.Flags = []string{`\Flagged`, "NewKeyword"} })
			m.append("Subject: not sent\r\n\r\n")
			m.Annotations = []csync.Annotation{{Entry: "/comment", Value: []byte("new")}}
			m.ACL = "bob\tlrs\t"
		}},
		{"another message of the UID", checksum, func(m *model) {
			m.touch(0, func(r *csync.Record) { r.Flags = []string{`\Flagged`} })
			m.touch(1, func(r *csync.Record) { r.GUID = guid.Of([]byte("other")) })
		}},
		{"a lower modseq of a record", checksum, func(m *model) {
			m.recs[1].ModSeq--
			m.recs[0].ModSeq++
		}},
		{"a lower modseq", checksum, func(m *model) { m.HighestModSeq-- }},
		{"a lower last UID", checksum, func(m *model) { m.LastUID-- }},
		{"a lower UIDVALIDITY", checksum, func(m *model) { m.UIDValidity-- }},
		{"another type", unknown, func(m *model) { m.Type = "c" }},
		{"another state than the master believes", changed, func(m *model) {
			m.HighestModSeq++
			m.Since = &csync.Since{ModSeq: 2}
		}},
		{"another CRC than the master believes", changed, func(m *model) { m.Since = &csync.Since{ModSeq: 3, CRC: 1} }},
		{"UIDs that do not rise", badParam, func(m *model) { slices.Reverse(m.recs) }},
		{"an id that is no directory", badParam, func(m *model) { m.UniqueID, m.Name = "../../x", "user.alice.new" }},
		{"a name out of the directory", badParam, func(m *model) { m.UniqueID, m.Name = "another", "../x!user.alice" }},
		{"a name that cannot be", badParam, func(m *model) { m.UniqueID, m.Name = "another", "user..alice" }},
		{"a partition that is not here", unknown, func(m *model) { m.UniqueID, m.Name, m.Partition = "another", "user.alice.new", "nosuch" }},
		{"an id of another name", moved, func(m *model) { m.Name = "user.alice.new" }},
		{"another id of the name", moved, func(m *model) { m.UniqueID = "another" }},
		{"a mailbox that should be there", changed, func(m *model) {
			m.UniqueID, m.Name, m.Since = "another", "user.alice.new", &csync.Since{ModSeq: 3}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := *m
			c.recs = slices.Clone(m.recs)
			tc.change(&c)
			p.t = t
			p.want(c.apply(0), tc.answer)
			p.want("GET FULLMAILBOX user.alice", before, ok)
			p.want("GET MAILBOXES (user.alice.new)", ok)
		})
	}
}

// TestChecksumStays has a master whose CRC is another: what it said is stored, for
// it to compare.
func TestChecksumStays(t *testing.T) {
	srv := testServer(t, "")
	p := signIn(t, dialer(t, srv, "tcp"))
	m := newModel("user.alice", "checksumstays")
	m.append("Subject: 1\r\n\r\n")
	m.put(t, p)
	m.touch(0, func(r *csync.Record) { r.Flags = []string{`\Seen`} })
	m.ACL = "alice\tlrs\t"
	m.crcs()
	wrong := strings.Replace(m.apply(0), fmt.Sprintf("SYNC_CRC %d ", m.SyncCRC), "SYNC_CRC 1 ", 1)
	p.want(wrong, checksum)
	p.want("GET FULLMAILBOX user.alice", m.full(), ok)
}

// TestForce lets the master win.
func TestForce(t *testing.T) {
	srv := testServer(t, "")
	dial := dialer(t, srv, "tcp")
	p := signIn(t, dial)
	m := newModel("user.alice", "force1")
	m.append("Subject: 1\r\n\r\n", `\Seen`)
	m.HighestModSeq, m.recs[0].ModSeq = 20, 20
	m.put(t, p)
	m.HighestModSeq, m.recs[0].ModSeq, m.recs[0].Flags = 10, 10, nil
	p.want(m.apply(0), checksum)
	other := newModel("user.alice", "force2")
	other.append("Subject: 2\r\n\r\n")
	p.want("APPLY FORCE %()", ok)
	p.want(m.apply(0), ok)
	p.want("GET FULLMAILBOX user.alice", m.full(), ok)
	other.put(t, p)
	p.want("GET FULLMAILBOX user.alice", other.full(), ok)
	// It is the session's own.
	q := signIn(t, dial)
	q.want(m.messages(0), ok)
	q.want(m.apply(0), moved)
	// What had to give way is kept for a while.
	if e := deleted(t, srv, "alice"); len(e) != 1 || e[0].UniqueID != "force1" {
		t.Errorf("kept: %v", e)
	}
}

// deleted are the mailboxes of a user that were deleted with delay.
func deleted(t *testing.T, srv *Server, userid string) (list []*mboxlist.Entry) {
	t.Helper()
	all, err := srv.site.Ops.OfUser(userid)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Name.IsDeleted() {
			list = append(list, e)
		}
	}
	return list
}

// TestEmptyGivesWay puts a mailbox in the place of one that never had a message.
func TestEmptyGivesWay(t *testing.T) {
	srv := testServer(t, "")
	p := signIn(t, dialer(t, srv, "tcp"))
	newModel("user.alice", "empty").put(t, p)
	m := newModel("user.alice", "filled")
	m.append("Subject: 1\r\n\r\n")
	m.put(t, p)
	p.want("GET FULLMAILBOX user.alice", m.full(), ok)
	p.want("GET UNIQUEIDS (empty filled)", strings.Split(m.header(), "\n")[0], ok)
	if e := deleted(t, srv, "alice"); len(e) > 0 {
		t.Errorf("kept: %v", e)
	}
}

// header is what GET MAILBOXES has to answer.
func (m *model) header() string {
	m.crcs()
	h := m.Mailbox
	h.HasRecords, h.Records = false, csync.Records{}
	return "* MAILBOX " + string(h.Append(nil, csync.FromServer))
}

// TestIntermediate has a name that becomes an intermediate one, and a mailbox
// again.
func TestIntermediate(t *testing.T) {
	srv := testServer(t, "")
	p := signIn(t, dialer(t, srv, "tcp"))
	m := newModel("user.alice.a", "intermediate1")
	m.append("Subject: 1\r\n\r\n")
	m.put(t, p)
	entry := func(id string) string {
		return "APPLY MAILBOX %(UNIQUEID " + id + " MBOXNAME user.alice.a MBOXTYPE ei HIGHESTMODSEQ 9 CREATEDMODSEQ 3)"
	}
	shown := func(id string) string {
		return "* MAILBOX %(UNIQUEID " + id + " MBOXNAME user.alice.a MBOXTYPE ei SYNC_CRC 0 LAST_UID 0 HIGHESTMODSEQ 0 RECENTUID 0 RECENTTIME 0 " +
			"LAST_APPENDDATE 0 POP3_LAST_LOGIN 0 POP3_SHOW_AFTER 0 UIDVALIDITY 0 PARTITION NIL ACL \"\" OPTIONS \"\" CREATEDMODSEQ 3 FOLDERMODSEQ 9)"
	}
	// Of another mailbox: the one here is kept for a while.
	p.want(entry("intermediate2"), ok)
	p.want("GET MAILBOXES (user.alice.a)", shown("intermediate2"), ok)
	kept := deleted(t, srv, "alice")
	if len(kept) != 1 || kept[0].UniqueID != "intermediate1" {
		t.Fatalf("kept: %v", kept)
	}
	p.want(entry("intermediate2"), ok)
	p.want("GET FULLMAILBOX user.alice.a", nobox)
	// Promoted, with its id.
	n := newModel("user.alice.a", "intermediate2")
	n.append("Subject: 2\r\n\r\n")
	n.put(t, p)
	p.want("GET FULLMAILBOX user.alice.a", n.full(), ok)
	// Of the same mailbox: the master has deleted it.
	p.want(entry("intermediate2"), ok)
	p.want("GET MAILBOXES (user.alice.a)", shown("intermediate2"), ok)
	if kept := deleted(t, srv, "alice"); len(kept) != 1 {
		t.Errorf("kept: %v", kept)
	}
	p.want("APPLY UNMAILBOX user.alice.a", ok)
	p.want("APPLY UNMAILBOX user.alice.a", nobox)
}

// TestNames renames, deletes, and moves between partitions.
func TestNames(t *testing.T) {
	srv := testServer(t, "")
	p := signIn(t, dialer(t, srv, "tcp"))
	m := newModel("user.alice.a", "names1")
	m.append("Subject: 1\r\n\r\n")
	m.put(t, p)
	below := newModel("user.alice.a.b", "names2")
	below.put(t, p)
	rename := func(from, to, partition string) string {
		return fmt.Sprintf("APPLY RENAME %%(OLDMBOXNAME %s NEWMBOXNAME %s PARTITION %s UIDVALIDITY 1000)", from, to, partition)
	}
	p.want(rename("user.alice.a", "user.alice.c", "default"), ok)
	m.Name, m.FolderModSeq = "user.alice.c", m.HighestModSeq
	p.want("GET FULLMAILBOX user.alice.c", m.full(), ok)
	p.want("GET MAILBOXES (user.alice.a user.alice.a.b)", below.header(), ok)
	p.want(rename("user.alice.a", "user.alice.c", "default"), nobox)
	p.want(rename("user.alice.c", "user.alice.a.b", "default"), unknown)
	p.want(rename("user.alice.c", "user.alice.c", "nosuch"), unknown)
	p.want(rename("user.alice.c", "user.alice.c", "NIL"), unknown)
	p.want(rename("user.alice.c", "user.alice.c", "second"), ok)
	p.want(rename("user.alice.c", "user.alice.c", "second"), ok) // the answer was lost
	m.Partition = "second"
	p.want("GET FULLMAILBOX user.alice.c", m.full(), ok)
	p.want("APPLY RENAME %(OLDMBOXNAME user.alice.c NEWMBOXNAME user.bob PARTITION default UIDVALIDITY 2000)", ok)
	m.Name, m.Partition, m.UIDValidity = "user.bob", "default", 2000
	p.want("GET FULLMAILBOX user.bob", m.full(), ok)
	// A mailbox with others below leaves its name to them.
	newModel("user.alice.a", "names3").put(t, p)
	p.want("APPLY UNMAILBOX user.alice.a", ok)
	if got := p.do("GET MAILBOXES (user.alice.a)"); !strings.Contains(got[0], "UNIQUEID names3 MBOXNAME user.alice.a MBOXTYPE ei ") {
		t.Errorf("hollow: %q", got)
	}
	p.want("APPLY UNMAILBOX user.alice.a.b", ok)
	p.want("GET MAILBOXES (user.alice.a.b)", ok)
	p.want("APPLY UNUSER bob", ok)
	p.want("GET USER bob", ok)
	p.want("APPLY UNUSER bob", ok)
	p.want("APPLY UNUSER ../x", "NO IMAP_INVALID_USER No Such User")
}

// TestReserve finds messages in mailboxes, of several copies one that is sound.
func TestReserve(t *testing.T) {
	srv := testServer(t, "")
	dial := dialer(t, srv, "tcp")
	p := signIn(t, dial)
	m := newModel("user.alice", "reserve1")
	var list []string
	for k := range 200 {
		m.append(fmt.Sprintf("Subject: %d\r\n\r\n", k))
		list = append(list, m.recs[k].GUID.String())
	}
	m.put(t, p)
	other := newModel("user.bob", "reserve2")
	other.Partition = "second"
	other.append("Subject: 7\r\n\r\n")
	other.append("Subject: elsewhere\r\n\r\n")
	list = append(list, other.recs[1].GUID.String())
	other.put(t, p)
	damage(t, srv, "user.alice", 8)  // user.bob has it too
	damage(t, srv, "user.alice", 10) // nobody else does
	p = signIn(t, dial)
	absent := guid.Of([]byte("absent")).String()
	reserve := fmt.Sprintf("APPLY RESERVE %%(PARTITION default MBOXNAME (user.nosuch user.bob user.alice) GUID (%s %s))", absent, strings.Join(list, " "))
	missing := "* MISSING (" + absent + " " + m.recs[9].GUID.String() + ")"
	p.want(reserve, missing, ok)
	p.want(reserve, missing, ok)
	p.want(m.messages(0), ok) // for the two that are missing
	n := newModel("user.carol", "reserve3")
	n.recs, n.text, n.LastUID, n.HighestModSeq, n.LastAppendDate = m.recs, m.text, m.LastUID, m.HighestModSeq, m.LastAppendDate
	p.want(n.apply(0), ok)
	p.want("GET FULLMAILBOX user.carol", n.full(), ok)
	p.want("RESTART", "OK Restarting")
	p.want("APPLY RESERVE %(PARTITION nosuch MBOXNAME (user.alice) GUID ("+absent+"))", unknown)
	p.want("APPLY RESERVE %(PARTITION default MBOXNAME (user.alice) GUID (x))", badParam)
	// The copies are links, and the damaged file is no part of them.
	if a, b := messageFile(t, srv, "user.alice", 3), messageFile(t, srv, "user.carol", 3); !sameFile(t, a, b) {
		t.Errorf("%s and %s are two files", a, b)
	}
	if a, b := messageFile(t, srv, "user.alice", 8), messageFile(t, srv, "user.carol", 8); sameFile(t, a, b) {
		t.Errorf("%s is damaged, and linked", a)
	}
}

func messageFile(t *testing.T, srv *Server, n mboxname.Name, uid uint32) string {
	t.Helper()
	e, err := srv.site.List.Lookup(n)
	if err != nil {
		t.Fatal(err)
	}
	m, err := srv.site.Mailboxes.Open(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	return messagePath(m.Path("data"), uid)
}

// damage replaces a message's file by one of other content.
func damage(t *testing.T, srv *Server, n mboxname.Name, uid uint32) {
	t.Helper()
	path := messageFile(t, srv, n, uid)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	sa, err := os.Stat(a)
	if err != nil {
		t.Fatal(err)
	}
	sb, err := os.Stat(b)
	if err != nil {
		t.Fatal(err)
	}
	return os.SameFile(sa, sb)
}

// TestStagedAndReserved has a message that came in and is found in a mailbox at
// the same time: the mailbox's file must not be written to.
func TestStagedAndReserved(t *testing.T) {
	root := t.TempDir()
	a := newAreas(map[string]string{"default": root}, message.DefaultOptions())
	defer a.close()
	st := a.stage(1)
	defer st.clear()
	inBox := filepath.Join(root, "1.")
	if err := os.WriteFile(inBox, []byte(messageOne), 0o600); err != nil {
		t.Fatal(err)
	}
	k := stageKey{"default", guid.Of([]byte(messageOne))}
	if err := st.link(k, inBox); err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(inBox)
	delete(st.files, k) // as if the two had not known of each other
	f := csync.FileLiteral{Partition: "default", GUID: k.guid, Size: uint32(len(messageOne))}
	if err := st.take(f, strings.NewReader(messageOne)); err != nil {
		t.Fatal(err)
	}
	if !st.has(k) {
		t.Fatal("the message did not come in")
	}
	after, _ := os.Stat(inBox)
	if !after.ModTime().Equal(before.ModTime()) || sameFile(t, inBox, st.files[k].path) {
		t.Error("the mailbox's file was written to")
	}
	for _, bad := range []csync.FileLiteral{
		{Partition: "default", GUID: guid.Of([]byte("x")), Size: 3},
		{Partition: "default", GUID: guid.Of([]byte("y")), Size: 300},
		{Partition: "nosuch", GUID: guid.Of([]byte("z")), Size: 1},
	} {
		if st.take(bad, strings.NewReader("abc")); st.has(stageKey{bad.Partition, bad.GUID}) {
			t.Errorf("%v was taken", bad)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(st.dirs["default"], "*")); len(left) != 2 {
		t.Errorf("left: %v", left)
	}
}

// TestLongAnswer has an answer that goes through a file.
func TestLongAnswer(t *testing.T) {
	srv := testServer(t, "")
	p := signIn(t, dialer(t, srv, "tcp"))
	m := newModel("user.alice", "longanswer")
	m.append("Subject: same\r\n\r\n")
	for range 5000 {
		m.append("Subject: same\r\n\r\n", `\Seen`)
	}
	p.want(upload("default", "Subject: same\r\n\r\n"), ok)
	p.want(m.apply(0), ok)
	if want := m.full(); len(want) < maxHeld {
		t.Fatalf("%d octets are not enough", len(want))
	} else if got := p.do("GET FULLMAILBOX user.alice"); got[0] != want {
		t.Errorf("%d octets, want %d", len(got[0]), len(want))
	}
}

// TestRestore puts a backup's messages into mailboxes.
func TestRestore(t *testing.T) {
	srv := testServer(t, "")
	p := signIn(t, dialer(t, srv, "tcp"))
	m := newModel("user.alice", "restore1")
	m.append("Subject: 1\r\n\r\n")
	m.append("Subject: 2\r\n\r\n", `\Flagged`)
	m.recs[1].UID, m.LastUID = 7, 7
	p.want(m.messages(0), ok)
	restore := strings.Replace(m.apply(0), "APPLY", "RESTORE", 1)
	p.want(restore, ok) // as it was
	live := func(want ...uint32) {
		t.Helper()
		if got := uids(t, srv, "user.alice"); !slices.Equal(got, want) {
			t.Errorf("UIDs %v, want %v", got, want)
		}
	}
	live(1, 7)
	p.want(restore, ok) // behind what is there
	live(1, 7, 8, 9)
	p.want("RESTORE LOCAL_MAILBOX %(MBOXNAME user.alice.new PARTITION default RECORD ())", ok)
	p.want("RESTORE MAILBOX %(MBOXNAME user.alice MBOXTYPE c RECORD ())", unknown)
	p.want("RESTORE MAILBOX %(RECORD ())", badParam)
	p.want("RESTORE USER x", "NO IMAP_PROTOCOL_ERROR Protocol error")
}

func uids(t *testing.T, srv *Server, n mboxname.Name) (list []uint32) {
	t.Helper()
	e, err := srv.site.List.Lookup(n)
	if err != nil {
		t.Fatal(err)
	}
	err = srv.engine.view(t.Context(), e, func(v *mailbox.View) error {
		list = slices.Clone(v.Index().UIDs())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
