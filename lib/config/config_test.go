package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// load parses text after a configdirectory.
func load(t *testing.T, service, text string) *Config {
	t.Helper()
	c, err := Parse(strings.NewReader("configdirectory: /var/lib/imap\n"+text), "imapd.conf", service)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestBad holds the text of each mistake to that of Cyrus 3.6.1, with the
// file's name added where it has none.
func TestBad(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"no colon", "allowapop yes", "invalid option name on line 2 of configuration file imapd.conf"},
		{"bad name", "allow.apop: yes", "invalid option name on line 2 of configuration file imapd.conf"},
		{"no name", ": yes", "invalid option name on line 2 of configuration file imapd.conf"},
		{"empty value", "allowapop: ", "empty option value on line 2 of configuration file imapd.conf"},
		{"twice", "timeout: 4\ntimeout: 4", "option 'timeout' was specified twice in config file imapd.conf (second occurrence on line 3)"},
		{"twice with a prefix", "imap_timeout: 4\nIMAP_timeout: 5", "option 'imap_timeout' was specified twice in config file imapd.conf (second occurrence on line 3)"},
		{"unknown twice", "foo: 4\nFoo: 5", "option 'foo' was specified twice in config file imapd.conf (second occurrence on line 3)"},
		{"directive", "@exclude: x", "invalid directive on line 2 of configuration file imapd.conf"},
		{"a key nobody knows", "foo_bar: x", ""},
		{"int value", "caringo_port: 80x", "non-integer value for caringo_port in line 2 of configuration file imapd.conf"},
		{"int too large", "caringo_port: 4294967296", "non-integer value for caringo_port in line 2 of configuration file imapd.conf"},
		{"switch", "allowapop: Yes", "non-switch value for allowapop in line 2 of configuration file imapd.conf"},
		{"enum", "virtdomains: maybe", "invalid value 'maybe' for virtdomains in line 2 of configuration file imapd.conf"},
		{"stringlist", "seenstate_db: berkeley", "invalid value 'berkeley' for seenstate_db in line 2 of configuration file imapd.conf"},
		{"bitfield", "metapartition_files: header everything", "invalid value 'everything' for metapartition_files in line 2 of configuration file imapd.conf"},
		{"duration", "timeout: 3x", "unparsable duration '3x' for timeout in line 2 of configuration file imapd.conf"},
		{"byte size", "maxmessagesize: 10T", "unparsable byte size '10T' for maxmessagesize in line 2 of configuration file imapd.conf"},
		{"after a continued line", "admins: a \\\n b\ntimeout: x", "unparsable duration 'x' for timeout in line 4 of configuration file imapd.conf"},
		{"missing include", "@include: none.conf", "can't open configuration file none.conf: No such file or directory"},
		{"included twice", "@include: imapd.conf", "configuration file imapd.conf included twice"},
		{"default partition", "defaultpartition: a-b", "defaultpartition option contains non-alnum character: a-b"},
		{"NUL", "admins: a\x00b", "cannot read line 2 of configuration file imapd.conf: NUL octet"},
		{"endless line", "admins: " + strings.Repeat("x", maxLine), "cannot read line 1 of configuration file imapd.conf: line too long"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			text := "configdirectory: /var/lib/imap\n" + tc.text + "\n"
			if err := os.WriteFile("imapd.conf", []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Load("imapd.conf", "imap")
			var e *Error
			switch {
			case tc.want == "" && err == nil:
			case !errors.As(err, &e):
				t.Fatalf("error %v, want an *Error", err)
			case e.Error() != tc.want || e.ExitCode() != 78:
				t.Errorf("error %q, status %d; want %q, 78", e, e.ExitCode(), tc.want)
			}
		})
	}
}

func TestNoDirectory(t *testing.T) {
	_, err := Parse(strings.NewReader("admins: a\n"), "imapd.conf", "imap")
	if err == nil || err.Error() != "configdirectory option not specified in configuration file imapd.conf" {
		t.Errorf("error %v", err)
	}
}

func TestLines(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"plain", "admins: a b", "a b"},
		{"key in capitals", "ADMINS: a", "a"},
		{"blanks around", "  admins:\t a b \t", "a b"},
		{"CRLF", "admins: a\r", "a"},
		{"# in a value", "admins: a #b", "a #b"},
		{"comment", "# admins: a\n  # admins: b\nadmins: c", "c"},
		{"continued", "admins: a \\\n  b", "a   b"},
		{"continued in a word", "adm\\\nins: a", "a"},
		{"a continued comment hides a line", "# x \\\nadmins: a", ""},
		{"a backslash at the end of the file drops the line", "admins: a\\", ""},
		{"backslash in the line", `admins: a\b`, `a\b`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := load(t, "imap", tc.text+"\n").Str("admins"); got != tc.want {
				t.Errorf("admins = %q, want %q", got, tc.want)
			}
		})
	}
}

// The service's own value wins, whichever comes first.
func TestPrefix(t *testing.T) {
	for _, text := range []string{"imap_admins: a\nadmins: b\n", "admins: b\nimap_admins: a\n"} {
		for service, want := range map[string]string{"imap": "a", "IMAP": "a", "pop3": "b", "": "b", "imaps": "b"} {
			if got := load(t, service, text).Str("admins"); got != want {
				t.Errorf("%q for %q: admins = %q, want %q", text, service, got, want)
			}
		}
	}
	c := load(t, "imap", "imap_timeout: 5\npop3_timeout: bad\n")
	if got := c.Duration("timeout"); got != 5*time.Minute {
		t.Errorf("timeout = %v, want 5m: another service's is not looked at", got)
	}
}

func TestExtra(t *testing.T) {
	c := load(t, "imap", "sasl_mech_list: PLAIN\nimap_sasl_mech_list: LOGIN\nlmtp_sasl_mech_list: EXTERNAL\nbackend1_password: s\nchan_sync_host: r\n")
	for _, tc := range []struct {
		key, want string
		ok        bool
	}{
		{"sasl_mech_list", "LOGIN", true},
		{"SASL_mech_list", "LOGIN", true},
		{"lmtp_sasl_mech_list", "EXTERNAL", true},
		{"Backend1_password", "s", true},
		{"chan_sync_host", "r", true},
		{"backend2_password", "", false},
		{"configdirectory", "", false},
	} {
		if got, ok := c.Extra(tc.key); got != tc.want || ok != tc.ok {
			t.Errorf("Extra(%q) = %q, %v; want %q, %v", tc.key, got, ok, tc.want, tc.ok)
		}
	}
}

func TestInclude(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"a.conf":   "configdirectory: /a\n@include: b.conf\nadmins: x\n",
		"b.conf":   "@INCLUDE: c.conf\nsievedir: /s\n",
		"c.conf":   "partition-default: /p\n",
		"dup.conf": "configdirectory: /a\nsievedir: /s\n@include: b.conf\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := Load("a.conf", "imap")
	if err != nil {
		t.Fatal(err)
	}
	if c.Str("sievedir") != "/s" || c.Str("admins") != "x" || len(c.Partitions()) != 1 {
		t.Errorf("sievedir %q, admins %q, partitions %v", c.Str("sievedir"), c.Str("admins"), c.Partitions())
	}
	var e *Error
	if _, err := Load("dup.conf", "imap"); !errors.As(err, &e) || e.File != "b.conf" || e.Line != 2 {
		t.Errorf("option given in both files: %v", err)
	}
}

func TestPrefixDirectory(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CYRUS_PREFIX", dir)
	if err := os.MkdirAll(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "etc/imapd.conf"), []byte("configdirectory: /below\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load("", "imap")
	if err != nil || c.Dir() != "/below" || c.Path() != DefaultPath {
		t.Errorf("Load below CYRUS_PREFIX: %v", err)
	}
}

func TestDirectory(t *testing.T) {
	c := load(t, "imap", "idlesocket: {ConfigDirectory}/i\nsievedir: /x/{configdirectory}\npartition-a: {configdirectory}/a\n")
	for name, want := range map[string]string{
		"idlesocket": "/var/lib/imap/i",
		"lmtpsocket": "/var/lib/imap/socket/lmtp",
		"sievedir":   "/x/{configdirectory}",
	} {
		if got := c.Str(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if p, _ := c.Partition("a"); p.Data != "{configdirectory}/a" {
		t.Errorf("partition-a = %q: free-form keys are not expanded", p.Data)
	}
}

func TestDeprecated(t *testing.T) {
	c := load(t, "imap", "archive_days: 3\ntls_ca_file: /old\ntls_client_ca_file: /new\nquotawarnkb: 2\n")
	if got := c.Duration("archive_after"); got != 3*24*time.Hour {
		t.Errorf("archive_after = %v, want 72h from archive_days", got)
	}
	if got := c.Str("tls_client_ca_file"); got != "/new" {
		t.Errorf("tls_client_ca_file = %q: the old name must not override it", got)
	}
	if got := c.Bytes("quotawarnsize"); got != 2048 {
		t.Errorf("quotawarnsize = %d, want 2048 from quotawarnkb", got)
	}
	if v, ok := c.Extra("archive_days"); v != "3" || !ok {
		t.Errorf("Extra(archive_days) = %q, %v", v, ok)
	}
	const want = "Option 'archive_days' is deprecated in favor of 'archive_after' since version 3.1.8."
	if !slices.Contains(c.Warnings(), want) {
		t.Errorf("warnings %q lack %q", c.Warnings(), want)
	}
}

// The samples that Debian and upstream ship load as they are.
func TestSamples(t *testing.T) {
	files, err := filepath.Glob("testdata/upstream/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatal("no samples", err)
	}
	for _, f := range append(files, "testdata/debian.conf") {
		for _, service := range []string{"imap", "lmtpunix", "cyr_expire"} {
			c, err := Load(f, service)
			if err != nil {
				t.Errorf("%s: %v", f, err)
				continue
			}
			if c.Dir() == "" {
				t.Errorf("%s: no configdirectory", f)
			}
			if err := c.RequirePartitions(); err != nil && !strings.Contains(f, "mupdate") {
				t.Errorf("%s: %v", f, err)
			}
		}
	}
}

func TestDebian(t *testing.T) {
	c, err := Load("testdata/debian.conf", "imap")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Str("syslog_prefix"); got != "cyrus" {
		t.Errorf("syslog_prefix = %q", got)
	}
	if c.Bool("altnamespace") || !c.Bool("hashimapspool") || !c.Bool("allowapop") {
		t.Error("switches: altnamespace is off, hashimapspool on in the file, allowapop on by default")
	}
	if got := c.Bits("httpmodules"); !slices.Equal(got, []string{"caldav", "carddav"}) {
		t.Errorf("httpmodules = %q", got)
	}
	if got := c.Duration("tls_session_timeout"); got != 24*time.Hour {
		t.Errorf("tls_session_timeout = %v", got)
	}
	if p, ok := c.Partition("default"); !ok || p.Data != "/var/spool/cyrus/mail" {
		t.Errorf("partition default = %+v, %v", p, ok)
	}
}
