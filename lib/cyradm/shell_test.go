package cyradm

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const manyCaps = "LITERAL+ LIST-EXTENDED SPECIAL-USE CREATE-SPECIAL-USE METADATA QUOTA ACL"

// TestCommands: what each command sends and prints.
func TestCommands(t *testing.T) {
	no := "TAG NO Mailbox does not exist\r\n"
	for _, tc := range []struct {
		name, line string
		answers    map[string]string
		sent       string // commands, one a line
		out, err   string
	}{
		{"create", "cm user/tom", nil, "CREATE user/tom", "", ""},
		{"create on a partition", "create --partition p2 user/tom", nil, "CREATE user/tom p2", "", ""},
		{"create, short flag", "cm -part p2 user/tom", nil, "CREATE user/tom p2", "", ""},
		{"create for a use", `cm --specialuse \\Sent user/tom p2`, nil, `CREATE user/tom (PARTITION p2 USE (\Sent))`, "", ""},
		{"create for no use", `cm --specialuse "a) (b" user/tom`, nil, "", "", "createmailbox: a) (b: not a special use\n"},
		{"create fails", "cm user/tom", map[string]string{"CREATE": "TAG NO Mailbox already exists\r\n"},
			"CREATE user/tom", "", "createmailbox: Mailbox already exists\n"},
		{"blanks are quoted", `cm "user/a b"`, nil, `CREATE "user/a b"`, "", ""},
		{"quotes make a literal", `cm 'user/a"b'`, nil, "CREATE {8+}\r\nuser/a\"b", "", ""},
		{"other than ASCII makes a literal", "cm user/\u00e9", nil, "CREATE {7+}\r\nuser/\u00e9", "", ""},
		{"wrong flag", "cm -x", nil, "", "", "usage: createmailbox [--partition partition] [--specialuse specialuse] mailbox [partition]\n"},
		{"flag without value", "cm --partition", nil, "", "", "usage: createmailbox [--partition partition] [--specialuse specialuse] mailbox [partition]\n"},
		{"flags end", "cm -- -x", nil, "CREATE -x", "", ""},
		{"delete", "dm user/tom", nil, "DELETE user/tom", "", ""},
		{"rename", "renm a b p2", nil, "RENAME a b p2", "", ""},
		{"xfer", "xfer --partition p a be2", nil, "XFER a be2 p", "", ""},
		{"progress", "xfer a be2", map[string]string{"XFER": "* NO USER a (Operation is not supported on mailbox)\r\n"},
			"XFER a be2", "USER a (Operation is not supported on mailbox)\n", ""},
		{"reconstruct", "reconstruct -r a", map[string]string{"RECONSTRUCT": "TAG BAD Unrecognized command\r\n"},
			"RECONSTRUCT a RECURSIVE", "", "reconstruct: Unrecognized command\n"},
		{"list", "lm", map[string]string{"LIST": "* LIST (\\HasNoChildren \\Sent) \"/\" {3}\r\na b\r\n* LIST () NIL x (CHILDINFO (\"SUBSCRIBED\"))\r\n"},
			`LIST "" "*" RETURN (SUBSCRIBED SPECIAL-USE)`,
			"a b (\\HasNoChildren \\Sent)    x (CHILDINFO (\"SUBSCRIBED\"))  \n", ""},
		{"list by use", "lm -special % user/", nil, `LIST (SPECIAL-USE) user/ "%" RETURN (SUBSCRIBED SPECIAL-USE)`, "", ""},
		{"list subscriptions", "lm -sub", nil, `LSUB "" "*"`, "", ""},
		{"list fails", "lm x", map[string]string{"LIST": "TAG NO Invalid name\r\n"},
			"LIST \"\" x RETURN (SUBSCRIBED SPECIAL-USE)", "", "Invalid name\n"},
		{"rights", "lam a", map[string]string{"GETACL": "* ACL a tom lrs anyone \"\" \"group:a b\" l\r\n"},
			"GETACL a", "anyone \"\"\ngroup:a b l\ntom lrs\n", ""},
		{"rights by word", "sam a tom none bob write", nil, "SETACL a tom \"\"\nSETACL a bob lrswipkxte", "", ""},
		{"every failure is told of", "sam a tom all bob q", map[string]string{"SETACL a tom": no, "SETACL a bob": no},
			"SETACL a tom lrswipkxtea\nSETACL a bob q", "",
			"setaclmailbox: tom: lrswipkxtea: Mailbox does not exist\nbob: q: Mailbox does not exist\n"},
		{"half a pair", "sam a tom all bob", nil, "", "", "usage: setaclmailbox mailbox id rights [id rights ...]\n"},
		{"all rights away", "dam a *", map[string]string{"GETACL": "* ACL a tom lrs bob l\r\n"},
			"GETACL a\nDELETEACL a bob\nDELETEACL a tom", "", ""},
		{"pattern", "sam a/* bob l", map[string]string{
			"LIST":       "* LIST (\\NonExistent) \"/\" a/w\r\n* LIST () \"/\" a/x\r\n* LIST () \"/\" a/y\r\n* LIST () \"/\" a/z\r\n",
			"SETACL a/y": "TAG NO Permission denied\r\n"},
			"LIST \"\" \"a/*\" RETURN (SUBSCRIBED SPECIAL-USE)\nSETACL a/x bob l\nSETACL a/y bob l",
			"Setting ACL on a/x...OK.\nSetting ACL on a/y...bob: l: Permission denied\n", ""},
		{"quota", "sq a STORAGE 10 MESSAGE 5", nil, "SETQUOTA a (STORAGE 10 MESSAGE 5)", "", ""},
		{"quota of storage", "sq a 10", nil, "SETQUOTA a (STORAGE 10)", "quota:10\n", ""},
		{"quota away", "sq a none", nil, "SETQUOTA a ()", "remove quota\n", ""},
		{"no number", "sq a STORAGE x", nil, "", "", "setquota: STORAGE: x: not a number\n"},
		{"list quota", "lq a", map[string]string{"GETQUOTA": "* QUOTA a (STORAGE 5 10 MESSAGE 1 4)\r\n"},
			"GETQUOTA a", " STORAGE 5/10 (50%) MESSAGE 1/4 (25%)\n", ""},
		{"list no limits", "lq a", map[string]string{"GETQUOTA": "* QUOTA a ()\r\n"}, "GETQUOTA a", "  /\n", ""},
		{"list no quota", "lq a", map[string]string{"GETQUOTA": "TAG NO Quota root does not exist\r\n"}, "GETQUOTA a", "\n", ""},
		{"list roots", "lqr a/b", map[string]string{"GETQUOTAROOT": "* QUOTAROOT a/b a\r\n* QUOTA a (STORAGE 0 10)\r\n"},
			"GETQUOTAROOT a/b", "a STORAGE 0/10 (0%)\n", ""},
		{"list no root", "lqr b", map[string]string{"GETQUOTAROOT": "* QUOTAROOT b\r\n"}, "GETQUOTAROOT b", "\n", ""},
		{"metadata", "info a", map[string]string{
			"GETMETADATA \"a\" (\"/private/*\")": "TAG NO No such\r\n",
			"GETMETADATA \"a\" (\"/shared/*\")":  "* METADATA a (/shared/comment {3}\r\nx\"y /shared/vendor/cmu/cyrus-imapd/expire NIL)\r\n"},
			"GETMETADATA \"a\" (\"/private/*\")\nGETMETADATA \"a\" (\"/shared/*\")",
			"{a}:\n  shared:\n    comment: x\"y\n    expire: NIL\n", ""},
		{"metadata of the server", `getmd "" comment /shared/motd`, map[string]string{
			"GETMETADATA": "* METADATA \"\" (\"/private/comment\" \"c\")\r\n"},
			"GETMETADATA \"\" (\"/private/comment\")\nGETMETADATA \"\" (\"/shared/motd\")",
			"{Server Wide}\n  private:\n    comment: c\n", ""},
		{"set metadata", `mboxcfg --private a comment "b c"`, nil, `SETMETADATA "a" ("/private/comment" "b c")`, "", ""},
		{"delete metadata", `mboxcfg a expire none`, nil, `SETMETADATA "a" ("/shared/vendor/cmu/cyrus-imapd/expire" NIL)`, "", ""},
		{"unknown metadata", `mboxcfg a foo 1`, nil, "", "", "mboxconfig: Unknown parameter foo\n"},
		{"set scoped metadata", `setmd --private a sieve x`, nil, `SETMETADATA "a" ("/private/vendor/cmu/cyrus-imapd/sieve" "x")`, "", ""},
		{"set the server's", "setinfo motd be good", map[string]string{"SETMETADATA": "TAG NO Permission denied\r\n"},
			`SETMETADATA "" ("/shared/motd" "be good")`, "", "setinfo: Permission denied\n"},
		{"version", "ver", map[string]string{"ID": "* ID (\"name\" \"x\" \"os\" NIL \"environment\" \"a; b\")\r\n"},
			"ID NIL", "name       : x\nos         : \nenvironment: a\n             b\n", ""},
		{"no version", "ver", map[string]string{"ID": "* ID NIL\r\n"}, "ID NIL", "no version info returned by server\n", ""},
		{"unknown command", "pwd", nil, "", "", "pwd: unknown command\n"},
		{"comment", " # pwd", nil, "", "", ""},
		{"two commands", "cm a; cm b", nil, "CREATE a\nCREATE b", "", ""},
		{"nonsense from the server", "lam a", map[string]string{"GETACL": "* ACL a (\r\n"},
			"GETACL a", "", "unexpected answer from the server: unmatched (\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := (&fake{caps: manyCaps, answers: tc.answers}).start(t)
			s := newShell(t, f)
			s.Exec(tc.line)
			if got := strings.Join(f.commands(), "\n"); got != tc.sent {
				t.Errorf("sent %q, want %q", got, tc.sent)
			}
			if s.out.String() != tc.out || s.err.String() != tc.err {
				t.Errorf("printed %q, complained %q; want %q, %q", &s.out, &s.err, tc.out, tc.err)
			}
		})
	}
}

// TestPoorServer: what a server cannot do is said, not sent.
func TestPoorServer(t *testing.T) {
	for _, tc := range []struct{ line, sent, err string }{
		{"lm -specialuse", "", "Remote does not support SPECIAL-USE.\n"},
		{"lm -recursive", "", "Remote does not support LIST-EXTENDED.\n"},
		{"lm", `LIST "" "*"`, ""},
		{`cm --specialuse \\Sent a`, "", "createmailbox: Remote does not support CREATE-SPECIAL-USE.\n"},
		{"info", "", "Remote does not support METADATA.\n"},
		{"setinfo motd x", "", "setinfo: Remote does not support METADATA.\n"},
		{`cm 'a"b'`, "CREATE {3}\r\na\"b", ""}, // a literal that is asked for
	} {
		t.Run(tc.line, func(t *testing.T) {
			f := (&fake{}).start(t)
			s := newShell(t, f)
			s.Exec(tc.line)
			if got := strings.Join(f.commands(), "\n"); got != tc.sent || s.err.String() != tc.err {
				t.Errorf("sent %q, complained %q; want %q, %q", got, &s.err, tc.sent, tc.err)
			}
		})
	}
}

// TestNoServer: commands before a connection, as Cyrus's complain.
func TestNoServer(t *testing.T) {
	s := newShell(t, nil)
	status, exited := s.Script(strings.NewReader("lam x\ninfo\nmboxcfg a b\nserver\n\ncm a\nexit 300\ncm b\n"))
	if status != 300&0xff || !exited {
		t.Errorf("status %d, exited %v", status, exited)
	}
	wantOut := "cyradm> lam x\ncyradm> info\ncyradm> mboxcfg a b\ncyradm> server\ncyradm> \ncyradm> cm a\ncyradm> exit 300\n"
	wantErr := "listaclmailbox: no connection to server\ninfo: no connection to server\nmboxconfig: no connection to server\n" +
		"server: no connection to server\ncreatemailbox: no connection to server\n"
	if s.out.String() != wantOut || s.err.String() != wantErr {
		t.Errorf("printed %q, complained %q", &s.out, &s.err)
	}
}

// TestLost: a connection that breaks is told of once, and the script goes on.
func TestLost(t *testing.T) {
	f := (&fake{answers: map[string]string{"CREATE": "bye"}}).start(t)
	s := newShell(t, f)
	if status, exited := s.Script(strings.NewReader("cm a\ncm b")); status != 0 || exited {
		t.Errorf("status %d, exited %v", status, exited)
	}
	if want := "127.0.0.1> cm a\ncyradm> cm b\ncyradm> "; s.out.String() != want {
		t.Errorf("printed %q, want %q", &s.out, want)
	}
	if want := "\nConnection to server lost.\ncreatemailbox: no connection to server\n"; s.err.String() != want {
		t.Errorf("complained %q, want %q", &s.err, want)
	}
}

// TestReferred: a command is said again where the server sends us.
func TestReferred(t *testing.T) {
	const caps = manyCaps + " MAILBOX-REFERRALS"
	back := (&fake{caps: caps, answers: map[string]string{"DELETE": "TAG NO Permission denied\r\n"}}).start(t)
	refer := "TAG NO [REFERRAL imap://;AUTH=*@" + back.addr + "/a] Remote mailbox.\r\n"
	front := (&fake{caps: caps, answers: map[string]string{"CREATE": refer, "SETACL": refer, "DELETE": refer, "LIST": ""}}).start(t)
	s := newShell(t, front)
	asked := 0
	s.Login.Password = func() (string, error) { asked++; return "secret", nil }
	if err := s.Authenticate(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"cm a be2!p2", "sam a tom all", "dm a", "lm a"} {
		s.Exec(line)
	}
	if got, want := strings.Join(back.commands(), "\n"), "CREATE a p2\nSETACL a tom lrswipkxtea\nDELETE a"; got != want {
		t.Errorf("second server heard %q, want %q", got, want)
	}
	if got := front.commands()[3]; got != `LIST (REMOTE) "" a RETURN (SUBSCRIBED SPECIAL-USE)` {
		t.Errorf("list %q", got)
	}
	if want := "deletemailbox: Permission denied\n"; s.err.String() != want {
		t.Errorf("complained %q, want %q", &s.err, want)
	}
	if asked != 1 {
		t.Errorf("asked %d times for a password", asked)
	}
}

// TestLogin: how a login goes, by the words the server hears.
func TestLogin(t *testing.T) {
	const plain = "AUTHENTICATE PLAIN AGN5cnVzAHNlY3JldA=="
	for _, tc := range []struct {
		name    string
		login   Login
		answers map[string]string
		heard   string
		err     string
	}{
		{"best", Login{User: "cyrus"}, nil, plain, ""},
		{"named", Login{User: "cyrus", Mechs: []string{"plain"}}, nil, plain, ""},
		{"for another", Login{User: "cyrus", Authz: "tom"}, nil, "AUTHENTICATE PLAIN dG9tAGN5cnVzAHNlY3JldA==", ""},
		{"by command", Login{User: "cyrus", Mechs: []string{"login"}}, nil, "LOGIN cyrus secret", ""},
		{"never as another than asked", Login{User: "cyrus", Authz: "tom", Mechs: []string{"login"}}, nil, "", "LOGIN cannot act as tom"},
		{"mechanism not offered", Login{User: "cyrus", Mechs: []string{"GSSAPI"}}, nil, "", "no mechanism available"},
		{"TLS not offered", Login{User: "cyrus", TLS: true}, nil, "", "TLS disabled."},
		{"refused", Login{User: "cyrus"}, map[string]string{"AUTHENTICATE": "TAG NO authentication failure\r\n"}, plain, "authentication failed"},
		{"command refused", Login{User: "cyrus", Mechs: []string{"login"}}, map[string]string{"LOGIN": "TAG NO Login failed: authentication failure\r\n"},
			"LOGIN cyrus secret", "Login failed: authentication failure"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := (&fake{answers: tc.answers}).start(t)
			host, port, _ := net.SplitHostPort(f.addr)
			a, err := Dial(context.Background(), host, port)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			tc.login.Password = func() (string, error) { return "secret", nil }
			err = a.Authenticate(context.Background(), tc.login)
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("error %v, want %q", err, tc.err)
			}
			heard := ""
			for _, c := range f.heard {
				if strings.HasPrefix(c, "AUTH") || strings.HasPrefix(c, "LOGIN") {
					heard = c
				}
			}
			if heard != tc.heard {
				t.Errorf("heard %q, want %q", heard, tc.heard)
			}
		})
	}
}

// TestStartTLS: a server that takes no login before TLS.
func TestStartTLS(t *testing.T) {
	conf, file := certificate(t)
	_, other := certificate(t)
	for _, tc := range []struct {
		name  string
		login Login
		err   string
	}{
		{"by need", Login{}, ""},
		{"asked for", Login{TLS: true}, ""},
		{"forbidden", Login{NoTLS: true}, "Login disabled."},
		{"checked", Login{CAFile: file}, ""},
		{"of another authority", Login{CAFile: other}, "TLS: "},
		{"by command", Login{Mechs: []string{"login"}}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := (&fake{tls: conf}).start(t)
			host, port, _ := net.SplitHostPort(f.addr)
			a, err := Dial(context.Background(), host, port)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			tc.login.User = "cyrus"
			tc.login.Password = func() (string, error) { return "secret", nil }
			err = a.Authenticate(context.Background(), tc.login)
			if (err == nil) != (tc.err == "") || err != nil && !strings.HasPrefix(err.Error(), tc.err) {
				t.Errorf("error %v, want %q", err, tc.err)
			}
			if err == nil && a.conn.TLS() == nil {
				t.Error("no TLS")
			}
		})
	}
}

func TestRedirections(t *testing.T) {
	f := (&fake{caps: manyCaps, answers: map[string]string{"LIST": "* LIST () \"/\" a\r\n", "GETACL": "TAG NO no such\r\n"}}).start(t)
	s := newShell(t, f)
	dir := t.TempDir()
	s.Env = func(name string) string { return map[string]string{"D": dir}[name] }
	for _, line := range []string{"lm > $D/new", "lm>$D/both; lm >>$D/both", "lam x > $D/err 2>&1", "lam x 2> /nonexistent/y",
		"lm >&-", "lm < $D/nosuch", "lm >&9", "lm >&x", "help cd > $D/help"} {
		s.Exec(line)
	}
	for name, want := range map[string]string{"new": "a  \n", "both": "a  \na  \n", "err": "no such\n", "help": "cd, alias for chdir directory\n\tchange current directory\n"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
	}
	want := "/nonexistent/y: No such file or directory\n" + dir + "/nosuch: No such file or directory\n" +
		"file descriptor `9' not open\ninvalid file descriptor `x'\n"
	if s.out.Len() > 0 || s.err.String() != want {
		t.Errorf("printed %q, complained %q, want %q", &s.out, &s.err, want)
	}
}

func TestRC(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct{ name, text, out, err string }{
		{"commands", "help cd\n", "cyradm> help cd\ncd, alias for chdir directory\n\tchange current directory\ncyradm> ", ""},
		{"perl", "use strict;\n$x = 1;\n", "", ": Perl, not cyradm commands: ignored\n"},
		{"not there", "", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newShell(t, nil)
			file := filepath.Join(dir, tc.name)
			if tc.text != "" {
				if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s.RC(file)
			if s.out.String() != tc.out || !strings.HasSuffix(s.err.String(), tc.err) || tc.err == "" && s.err.Len() > 0 {
				t.Errorf("printed %q, complained %q", &s.out, &s.err)
			}
		})
	}
}

func TestServerCommand(t *testing.T) {
	f := (&fake{caps: manyCaps}).start(t)
	s := newShell(t, nil)
	for _, line := range []string{"connect -noauth " + f.addr, "login", "server", "disc", "server"} {
		s.Exec(line)
	}
	if s.out.String() != "127.0.0.1\n" || s.err.String() != "server: no connection to server\n" {
		t.Errorf("printed %q, complained %q", &s.out, &s.err)
	}
}
