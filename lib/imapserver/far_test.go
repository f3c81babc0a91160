package imapserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gocyrus/lib/backend"
	"gocyrus/lib/config"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
	"gocyrus/lib/site"
	"gocyrus/lib/transcript"
)

// farConf is the configuration of a frontend: it has no partition.
const farConf = `configdirectory: %[1]s/conf
servername: fe.example.org
mupdate_server: mup.example.org
proxy_authname: murder
be1_password: secret
proxy_password: secret
serverlist: be1.example.org be2.example.org
admins: cyrus
allowplaintext: yes
sasl_pwcheck_method: alwaystrue
sasl_mech_list: PLAIN LOGIN
failedloginpause: 0
imapidlepoll: 60
client_timeout: 5s
`

// murderSite is a frontend and two backends, all of this process. Its slave is the
// test: whoever kicks it finds the frontend's list the same as the backends'.
type murderSite struct {
	t     testing.TB
	front *Server
	dial  func() net.Conn
	backs map[string]*farBackend
	kicks atomic.Int64 // how often the slave was kicked
}

type farBackend struct {
	srv  *Server
	addr string
	real func() []*mboxlist.Entry // what Cyrus has, when it is one

	mu    sync.Mutex
	conns []net.Conn
	down  bool
}

// breakUp ends all sessions, as a crash would, and lets nobody in until down is
// false.
func (b *farBackend) breakUp(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
	for _, c := range b.conns {
		c.Close()
	}
	b.conns = nil
}

func startMurder(t testing.TB, more string) *murderSite {
	m := &murderSite{t: t, backs: map[string]*farBackend{}}
	for _, name := range []string{"be1.example.org", "be2.example.org"} {
		m.backs[name] = startBackend(t, "servername: "+name+"\nproxyservers: murder\nallowallsubscribe: yes\n"+more)
	}
	m.start(more)
	return m
}

// start starts the frontend, when the backends are there, and makes mailboxes on
// them through it.
func (m *murderSite) start(more string) {
	t := m.t
	dir := t.TempDir()
	cfg, err := config.Parse(strings.NewReader(fmt.Sprintf(farConf, dir)+more), filepath.Join(dir, "imapd.conf"), "imap")
	if err != nil {
		t.Fatal(err)
	}
	st, err := site.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if m.front, err = newServer(cfg, OptionsFrom(cfg), st); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.front.Shutdown(context.Background()) })
	m.front.murder.opts.Address = func(_ *backend.Protocol, addr string) string {
		host, _, _ := net.SplitHostPort(addr)
		return m.backs[host].addr
	}
	m.listen(cfg)
	m.dial = dialer(t, m.front)
	admin := login(t, m.dial, "cyrus")
	for _, n := range [][2]string{
		{"user/alice", "be1.example.org"}, {"user/alice/Sent", "be1.example.org"}, {"news", "be1.example.org"},
		{"user/bob", "be2.example.org"}, {"shared", "be2.example.org"}, {"shared/x", "be2.example.org"},
	} {
		admin.must("CREATE "+n[0]+" "+n[1]+"!default", "OK")
		if !strings.HasPrefix(n[0], "user/alice") {
			admin.must("SETACL "+n[0]+" alice lrswipte", "OK")
		}
	}
}

// startBackend starts one server whose connections the test can cut.
func startBackend(t testing.TB, more string) *farBackend {
	dir := t.TempDir()
	conf := strings.Replace(strings.ReplaceAll(testConf, "$dir", dir), "servername: mail.example.com\n", "", 1)
	cfg, err := config.Parse(strings.NewReader(conf+more), filepath.Join(dir, "imapd.conf"), "imap")
	if err != nil {
		t.Fatal(err)
	}
	st, err := site.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := newServer(cfg, OptionsFrom(cfg), st)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Shutdown(context.Background()) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &farBackend{srv: srv, addr: l.Addr().String()}
	ctx, cancel := context.WithCancel(context.Background())
	var sessions sync.WaitGroup
	sessions.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			down := b.down
			b.conns = append(b.conns, c)
			b.mu.Unlock()
			if down {
				c.Close()
				continue
			}
			sessions.Go(func() {
				defer c.Close()
				srv.Serve(ctx, c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		cancel()
		sessions.Wait()
	})
	return b
}

// mailboxes are those of the backend.
func (b *farBackend) mailboxes() (all []*mboxlist.Entry) {
	if b.real != nil {
		return b.real()
	}
	b.srv.list.Scan("", func(v mboxlist.View) error {
		e, err := b.srv.list.Lookup(v.Name())
		if err == nil && exists(e) && !e.Name.IsDeleted() {
			all = append(all, e)
		}
		return nil
	})
	return all
}

// listen is the slave's kick socket.
func (m *murderSite) listen(cfg *config.Config) {
	path := mupdate.KickSocket(cfg.Dir())
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	// A path of a unix socket is short, and a test's directory may not be.
	short := filepath.Join(os.TempDir(), fmt.Sprintf("kick%d-%d", os.Getpid(), time.Now().UnixNano()))
	l, err := net.Listen("unix", short)
	if err != nil {
		m.t.Fatal(err)
	}
	m.front.murder.master.KickSocket = short
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.kicks.Add(1)
			m.follow()
			io.WriteString(c, "ok")
			c.Close()
		}
	}()
	m.t.Cleanup(func() { l.Close(); <-done })
}

// follow makes the frontend's list that of the backends.
func (m *murderSite) follow() {
	want := map[mboxname.Name]*mboxlist.Entry{}
	for server, b := range m.backs {
		for _, e := range b.mailboxes() {
			want[e.Name] = &mboxlist.Entry{Name: e.Name, Server: server, Partition: e.Partition, ACL: e.ACL, Type: "er"}
		}
	}
	err := m.front.list.Update(func(tx *mboxlist.Tx) error {
		var gone []mboxname.Name
		err := m.front.list.Scan("", func(v mboxlist.View) error {
			if want[v.Name()] == nil {
				gone = append(gone, v.Name())
			}
			return nil
		})
		for _, n := range gone {
			if err := tx.Remove(n); err != nil && !errors.Is(err, mboxlist.ErrNotFound) {
				return err
			}
		}
		for _, e := range want {
			if err := tx.Put(e); err != nil {
				return err
			}
		}
		return err
	})
	if err != nil {
		m.t.Error(err)
	}
}

// ask sends a command and returns the untagged lines and the tagged one without its
// tag.
func (c *client) ask(command string) (lines []string, tagged string) {
	c.t.Helper()
	return c.send("t " + command)
}

// send is ask for what follows an invitation.
func (c *client) send(text string) (lines []string, tagged string) {
	c.t.Helper()
	io.WriteString(c, text+"\r\n")
	for {
		s := c.line()
		if rest, ok := strings.CutPrefix(s, "t "); ok {
			return lines, rest
		}
		if s == "+ go ahead" || s == "+ idling" {
			return lines, s
		}
		lines = append(lines, s)
	}
}

// must is ask for an answer that begins with want and has the given lines among
// the untagged.
func (c *client) must(command, want string, has ...string) {
	c.t.Helper()
	lines, tagged := c.ask(command)
	c.check(command, lines, tagged, want, has)
}

// more is must for what follows an invitation.
func (c *client) more(text, want string, has ...string) {
	c.t.Helper()
	lines, tagged := c.send(text)
	c.check(text, lines, tagged, want, has)
}

func (c *client) check(command string, lines []string, tagged, want string, has []string) {
	c.t.Helper()
	if !strings.HasPrefix(tagged, want) {
		c.t.Fatalf("%s: %s, want %s\n%s", command, tagged, want, strings.Join(lines, "\n"))
	}
	for _, h := range has {
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, h) }) {
			c.t.Errorf("%s: no %q in\n%s", command, h, strings.Join(lines, "\n"))
		}
	}
}

const farMail = "From: a@example.org\r\nSubject: hi\r\n\r\nbody\r\n"

func (c *client) deliver(mailbox, flags string, n int) {
	c.t.Helper()
	for i := range n {
		c.must(fmt.Sprintf("APPEND %s (%s) \"01-Jan-2024 00:00:%02d +0000\" {%d+}\r\n%s", mailbox, flags, i, len(farMail), farMail), "OK [APPENDUID ")
	}
}

// TestFarSession: the commands of one session, as they pass.
func TestFarSession(t *testing.T) { farSession(t, startMurder(t, "")) }

func farSession(t *testing.T, m *murderSite) {
	c := login(t, m.dial, "alice")
	c.must("LIST \"\" *", "OK Completed", `(\HasNoChildren) "/" INBOX`, `"/" "Shared Folders/shared/x"`, `"/" "Other Users/bob"`)
	c.must("CAPABILITY", "OK", "MUPDATE=mupdate://mup.example.org/")
	c.deliver("INBOX", `\Seen`, 2)
	c.must(fmt.Sprintf("APPEND Sent {%d}", len(farMail)), "+ go ahead")
	c.more(farMail, "OK [APPENDUID ")
	c.must("STATUS INBOX (MESSAGES UIDNEXT)", "OK Completed", "* STATUS INBOX (MESSAGES 2 UIDNEXT 3)")
	c.must("SELECT INBOX", "OK [READ-WRITE] Completed", "* 2 EXISTS", "* OK [UIDNEXT 3] Ok")
	c.must("FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])", "OK Completed", "UID 1", `\Seen`, "Subject: hi")
	c.must("UID FETCH 1 (BODY.PEEK[HEADER.FIELDS ({7}", "+ go ahead")
	c.more("subject)])", "OK Completed", "Subject: hi")
	c.must("STORE 1 +FLAGS (\\Flagged)", "OK Completed", `\Flagged`)
	c.must("SEARCH FLAGGED", "OK Completed", "* SEARCH 1")
	c.must("SORT (SUBJECT) UTF-8 ALL", "OK Completed", "* SORT 1 2")
	c.must("COPY 1 Sent", "OK [COPYUID ")
	c.must("UID MOVE 2 Sent", "OK", "COPYUID", "* 2 EXPUNGE")
	c.must("FETCH x FLAGS", "BAD ")
	c.must("NOOP", "OK")
	c.must("SELECT Sent", "OK [READ-WRITE]", "* OK [CLOSED]", "* 3 EXISTS")
	c.must("SELECT \"Shared Folders/shared\"", "OK [READ-WRITE]", "* OK [CLOSED]", "* 0 EXISTS")
	c.must("SELECT nosuch", "NO Mailbox does not exist", "* OK [CLOSED]")
	c.must("FETCH 1 FLAGS", "BAD Please select a mailbox first")
	c.must("EXAMINE Sent", "OK [READ-ONLY]")
	c.must("UNSELECT", "OK")
	c.must("CHECK", "BAD Please select a mailbox first")
	c.must("SELECT Sent", "OK")
	c.must("STORE 1 +FLAGS.SILENT (\\Deleted)", "OK")
	c.must("CLOSE", "OK")
	c.must("STATUS Sent (MESSAGES)", "OK", "MESSAGES 2")
	c.must("ENABLE QRESYNC", "OK", "QRESYNC")
	lines, _ := c.ask("SELECT INBOX")
	i := slices.IndexFunc(lines, func(s string) bool { return strings.Contains(s, "UIDVALIDITY") })
	if i < 0 || slices.ContainsFunc(lines, func(s string) bool { return strings.Contains(s, "ENABLED") }) {
		t.Fatalf("%q", lines)
	}
	validity, _, _ := strings.Cut(strings.TrimPrefix(lines[i], "* OK [UIDVALIDITY "), "]")
	c.must("SELECT INBOX (QRESYNC ("+validity+" 1))", "OK", "* VANISHED (EARLIER) 2", "MODSEQ")
	c.must("STORE 1 +FLAGS (\\Deleted)", "OK")
	c.must("UID EXPUNGE 1", "OK", "* VANISHED 1")
	c.must("UNSELECT", "OK")
	c.must("CHECK", "BAD Please select a mailbox first")
	c.must("LOGOUT", "OK", "* BYE")
}

// TestFarMailboxes: what changes mailboxes, and what is asked about them.
func TestFarMailboxes(t *testing.T) { farMailboxes(t, startMurder(t, "")) }

func farMailboxes(t *testing.T, m *murderSite) {
	c := login(t, m.dial, "alice")
	c.must("CREATE Work", "OK [MAILBOXID (")
	c.must("CREATE Work", "NO Mailbox already exists")
	c.must("STATUS Work (MESSAGES)", "OK", "MESSAGES 0")
	c.must("RENAME Work Play", "OK")
	c.must("STATUS Work (MESSAGES)", "NO Mailbox does not exist")
	c.must("SETACL Play bob lr", "OK")
	c.must("GETACL Play", "OK", "bob lr")
	c.must("MYRIGHTS Play", "OK", "lrswip")
	c.must("DELETEACL Play bob", "OK")
	c.must("GETQUOTAROOT Play", "OK", "* QUOTAROOT Play")
	c.must(`SETMETADATA Play (/private/comment "x y")`, "OK")
	c.must("GETMETADATA Play (/private/comment)", "OK", `/private/comment" "x y"`)
	c.must("DELETE Play", "OK")
	c.must("SELECT Play", "NO Mailbox does not exist")
	c.must(`CREATE "Shared Folders/shared/y"`, "NO Permission denied")
	c.must("APPEND nosuch {3+}\r\nabc", "NO [TRYCREATE]")

	c.must(`SUBSCRIBE "Shared Folders/shared"`, "OK")
	c.must("SUBSCRIBE INBOX", "OK")
	c.must("SUBSCRIBE nosuch", "NO Subscribe: Mailbox does not exist")
	lines, _ := c.ask(`LSUB "" *`)
	want := []string{`* LSUB () "/" INBOX`, `* LSUB () "/" "Shared Folders/shared"`}
	if !slices.Equal(lines, want) {
		t.Errorf("LSUB: %q", lines)
	}
	c.must(`LIST (SUBSCRIBED) "" * RETURN (STATUS (MESSAGES))`, "OK", `* LIST (\Subscribed \HasChildren) "/" "Shared Folders/shared"`,
		`* STATUS "Shared Folders/shared" (MESSAGES 0)`, "* STATUS INBOX (MESSAGES 0)")

	// A backend tells of names that others have.
	if be := m.backs["be1.example.org"]; be.srv != nil {
		direct := login(t, dialer(t, be.srv), "alice")
		direct.must(`LSUB "" *`, "OK", `* LSUB (\Noselect) "/" "Shared Folders/shared"`)
	}
	c.must(`UNSUBSCRIBE "Shared Folders/shared"`, "OK")

	admin := login(t, m.dial, "cyrus")
	admin.must(`SETMETADATA user/bob (/shared/comment "for all")`, "OK")
	admin.must(`SETMETADATA user/alice (/shared/comment "new")`, "OK")
	admin.must(`GETMETADATA "user/*" (/shared/comment)`, "OK", `* METADATA user/bob ("/shared/comment" "for all")`, `* METADATA user/alice ("/shared/comment" "new")`)
	admin.must("CREATE user/carol be2.example.org!default", "OK")
	admin.must("CREATE user/dave default", "OK")
	admin.must("SETQUOTA user/carol (STORAGE 1000)", "OK")
	admin.must("GETQUOTA user/carol", "OK", "(STORAGE 0 1000)")
	admin.must("CREATE user/carol/x", "OK")
	if e, err := m.front.list.Lookup("user.carol.x"); err != nil || e.Server != "be2.example.org" {
		t.Errorf("%+v, %v", e, err)
	}
	for _, cmd := range []string{"MUPDATEPUSH user/alice", "LOCALCREATE user/x", "LOCALDELETE user/alice", "XFER user/alice be2.example.org"} {
		admin.must(cmd, "NO ")
	}
	admin.must("SETACL user/carol cyrus x", "OK")
	admin.must("DELETE user/carol", "OK")
}

// TestFarUses: special uses and annotations are where the mailboxes are.
func TestFarUses(t *testing.T) { farUses(t, startMurder(t, "")) }

func farUses(t *testing.T, m *murderSite) {
	c := login(t, m.dial, "alice")
	c.must(`CREATE Rubbish (USE (\Trash))`, "OK")
	c.must(`LIST "" % RETURN (SPECIAL-USE)`, "OK", `\Trash) "/" Rubbish`, `"/" INBOX`)
	lines, _ := c.ask(`LIST (SPECIAL-USE) "" *`)
	if len(lines) != 1 || !strings.Contains(lines[0], `\Trash) "/" Rubbish`) {
		t.Errorf("%q", lines)
	}
	c.must(`XLIST "" *`, "OK", `\Inbox) "/" INBOX`, `\Trash) "/" Rubbish`)
	c.must(`SETMETADATA Rubbish (/shared/comment "old")`, "OK")
	c.must(`LIST "" Rubbish RETURN (METADATA (/shared/comment))`, "OK", `* METADATA Rubbish ("/shared/comment" "old")`)
}

// TestFarAcross: COPY and MOVE from one server to another.
func TestFarAcross(t *testing.T) { farAcross(t, startMurder(t, "")) }

func farAcross(t *testing.T, m *murderSite) {
	c := login(t, m.dial, "alice")
	c.deliver("INBOX", `\Seen $Label1`, 5)
	c.must("SELECT INBOX", "OK")
	shared := `"Shared Folders/shared"`
	_, tagged := c.ask("UID COPY 2,4:5 " + shared)
	var v uint32
	var src, dst string
	if _, err := fmt.Sscanf(tagged, "OK [COPYUID %d %s %s", &v, &src, &dst); err != nil || src != "2,4:5" || dst != "1:3]" {
		t.Fatalf("%s: %v", tagged, err)
	}
	lines, tagged := c.ask("MOVE 1:2 " + shared)
	if !strings.HasPrefix(tagged, "OK") || len(lines) < 3 || !strings.Contains(lines[0], "* OK [COPYUID") || !strings.Contains(lines[0], " 1:2 4:5]") ||
		!slices.Contains(lines, "* 1 EXPUNGE") {
		t.Errorf("MOVE: %q %s", lines, tagged)
	}
	c.must("UID COPY 1 "+shared, "OK")
	c.must("COPY 1:20 "+shared, "OK")
	c.must("COPY 1 \"Shared Folders/nosuch\"", "NO")
	c.must("COPY 1 nosuch", "NO [TRYCREATE]")
	c.must("SELECT "+shared, "OK", "* 8 EXISTS")
	c.must("FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[])", "OK", `$Label1`, `" 1-Jan-2024 00:00:01 +0000"`, `" 1-Jan-2024 00:00:00 +0000"`, "Subject: hi")
}

// TestFarLost: a backend that goes away costs its mailboxes, and no session.
func TestFarLost(t *testing.T) {
	m := startMurder(t, "")
	c := login(t, m.dial, "alice")
	c.deliver("INBOX", "", 2)
	c.must("SELECT INBOX", "OK")
	be1, be2 := m.backs["be1.example.org"], m.backs["be2.example.org"]

	be1.breakUp(false) // back at once
	c.must("FETCH 1:2 UID", "OK", "UID 2")

	be1.breakUp(true)
	c.must("FETCH 1:2 UID", "NO Server(s) unavailable to complete operation")
	c.must("STATUS Sent (MESSAGES)", "NO Server(s) unavailable to complete operation")
	c.must("CREATE other", "NO Server(s) unavailable to complete operation")
	c.must("SUBSCRIBE INBOX", "NO Server(s) unavailable to complete operation")
	c.must(`LSUB "" *`, "NO Server(s) unavailable to complete operation")
	c.must(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(farMail), farMail), "NO Server(s) unavailable to complete operation")
	c.must(`LIST "" * RETURN (STATUS (MESSAGES))`, "OK", `"/" INBOX`, `* STATUS "Shared Folders/shared" (MESSAGES 0)`)
	c.must(`STATUS "Shared Folders/shared" (MESSAGES)`, "OK")

	be1.breakUp(false)
	c.must("FETCH 1:2 UID", "OK", "UID 2")
	c.must(`STATUS "Shared Folders/shared" (MESSAGES)`, "OK")
	be2.breakUp(false) // not selected: nobody notices
	c.must(`STATUS "Shared Folders/shared" (MESSAGES)`, "OK")

	// Another session changes what the client thinks is there.
	be1.breakUp(true)
	be1.breakUp(false)
	other := login(t, m.dial, "alice")
	other.deliver("INBOX", "", 1)
	be1.breakUp(false)
	fmt.Fprint(c, "t FETCH 1 UID\r\n")
	if s := c.line(); !strings.HasPrefix(s, "* BYE ") {
		t.Errorf("%q", s)
	}
}

// farIdle returns a session with INBOX selected, which has one message.
func farIdle(t *testing.T, m *murderSite) *client {
	c, other := login(t, m.dial, "alice"), login(t, m.dial, "alice")
	c.must("SELECT INBOX", "OK")
	c.must("IDLE", "+ idling")
	other.deliver("INBOX", "", 1)
	for s := ""; s != "* 1 EXISTS"; s = c.line() {
	}
	fmt.Fprint(c, "DONE\r\n")
	for s := ""; !strings.HasPrefix(s, "t OK"); s = c.line() {
	}
	return c
}

// TestFarIdlePoll: the news of a backend without IDLE is asked for.
func TestFarIdlePoll(t *testing.T) {
	m := startMurder(t, "suppress_capabilities: IDLE\n")
	m.front.opts.IdlePoll = 50 * time.Millisecond
	farIdle(t, m)
}

func TestFarReferrals(t *testing.T) {
	m := startMurder(t, "")
	c := login(t, m.dial, "alice")
	c.must("SELECT INBOX", "OK")
	c.must(`RLIST "" ""`, "OK")
	c.must("SELECT Sent", "NO [REFERRAL imap://;AUTH=*@be1.example.org/Sent] Remote mailbox.")
	c.must("CHECK", "OK")
	c.must("STATUS Sent (MESSAGES)", "OK")
	c.must("CREATE Made", "OK")
	c.must("APPEND INBOX {3}", "NO [REFERRAL imap://;AUTH=*@be1.example.org/INBOX] Remote mailbox.")
	m = startMurder(t, "proxyd_disable_mailbox_referrals: yes\n")
	c = login(t, m.dial, "alice")
	c.must(`RLIST "" ""`, "OK")
	c.must("SELECT Sent", "OK")
}

// TestFarMany: sessions side by side, each with messages of its own, and one client
// that does not read what it asked for.
func TestFarMany(t *testing.T) {
	m := startMurder(t, "")
	first := login(t, m.dial, "alice")
	big := "Subject: big\r\n\r\n" + strings.Repeat(strings.Repeat("x", 998)+"\r\n", 4000)
	first.must(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(big), big), "OK")
	slow := login(t, m.dial, "alice")
	slow.must("SELECT INBOX", "OK")
	fmt.Fprint(slow, strings.Repeat("t FETCH 1 BODY.PEEK[]\r\n", 20))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			c := login(t, m.dial, "alice")
			c.must("SELECT INBOX", "OK")
			fmt.Fprint(c, "t FETCH 1 BODY.PEEK[]\r\n")
			c.line()
			got := make([]byte, len(big))
			c.SetReadDeadline(time.Now().Add(transcript.Timeout))
			if _, err := io.ReadFull(c.r, got); err != nil || string(got) != big {
				t.Errorf("not what was sent: %v", err)
			}
		})
	}
	all.Wait()
}

// BenchmarkFar is what the way over a frontend costs, beside the same straight to the
// backend.
func BenchmarkFar(b *testing.B) {
	m := startMurder(b, "")
	addr := m.backs["be1.example.org"].addr
	straight := func() net.Conn {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		return c
	}
	big := "Subject: big\r\n\r\n" + strings.Repeat(strings.Repeat("x", 998)+"\r\n", 4000)
	c := login(b, m.dial, "alice")
	c.deliver("INBOX", "", 50)
	c.must(fmt.Sprintf("APPEND Sent {%d+}\r\n%s", len(big), big), "OK")
	for _, way := range []struct {
		name string
		dial func() net.Conn
	}{{"straight", straight}, {"frontend", m.dial}} {
		b.Run("select/"+way.name, func(b *testing.B) {
			c := login(b, way.dial, "alice")
			for b.Loop() {
				c.do("SELECT INBOX")
			}
		})
		b.Run("fetch/"+way.name, func(b *testing.B) {
			c := login(b, way.dial, "alice")
			c.do("SELECT INBOX")
			for b.Loop() {
				c.do("FETCH 1:50 (UID FLAGS)")
			}
		})
		b.Run("status/"+way.name, func(b *testing.B) {
			c := login(b, way.dial, "alice")
			for b.Loop() {
				c.do("STATUS INBOX (MESSAGES)")
			}
		})
		b.Run("body/"+way.name, func(b *testing.B) {
			c := login(b, way.dial, "alice")
			c.do("SELECT Sent")
			b.SetBytes(int64(len(big)))
			buf := make([]byte, 64<<10)
			for b.Loop() {
				fmt.Fprint(c, "t FETCH 1 BODY.PEEK[]\r\n")
				c.line()
				if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.LimitReader(c.r, int64(len(big))), buf); err != nil {
					b.Fatal(err)
				}
				c.line()
				c.line()
			}
		})
		b.Run("append/"+way.name, func(b *testing.B) {
			c := login(b, way.dial, "alice")
			b.SetBytes(int64(len(big)))
			for b.Loop() {
				c.do(fmt.Sprintf("APPEND Sent {%d+}\r\n%s", len(big), big))
			}
		})
	}
}

// TestFarTorn: a backend that is lost in the middle of a message ends the session, for
// the client waits for the rest.
func TestFarTorn(t *testing.T) {
	m := startMurder(t, "")
	c := login(t, m.dial, "alice")
	// More than all the buffers on the way hold.
	big := "Subject: big\r\n\r\n" + strings.Repeat(strings.Repeat("x", 998)+"\r\n", 40000)
	c.must(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(big), big), "OK")
	c.must("SELECT INBOX", "OK")
	fmt.Fprint(c, "t FETCH 1 BODY.PEEK[]\r\n")
	c.line()
	m.backs["be1.example.org"].breakUp(true)
	c.SetReadDeadline(time.Now().Add(transcript.Timeout))
	last := make([]byte, 0, 1<<20)
	buf := make([]byte, 64<<10)
	for {
		n, err := c.r.Read(buf)
		last = append(last[max(0, len(last)-100):], buf[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !strings.HasSuffix(string(last), "* BYE Fatal error: Lost connection to selected backend\r\n") {
		t.Errorf("%q", last[max(0, len(last)-200):])
	}
}
