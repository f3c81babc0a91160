package service

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

func TestAccess(t *testing.T) {
	const any, v4, v6 = "", "10.1.2.3", "2001:db8::1"
	for _, tc := range []struct {
		name, allow, deny string
		ip, host          string
		want              bool
	}{
		{"no rules", "", "", v4, any, true},
		{"denied to all", "", "ALL: ALL", v4, any, false},
		{"allowed before denied", "imap: 10.", "ALL: ALL", v4, any, true},
		{"another entry", "pop3: 10.", "ALL: ALL", v4, any, false},
		{"daemon in any case", "IMAP: ALL", "ALL: ALL", v4, any, true},
		{"two daemons", "pop3, imap : ALL", "ALL: ALL", v4, any, true},
		{"prefix is of whole octets", "imap: 10.1.", "ALL: ALL", "10.11.2.3", any, false},
		{"mask", "imap: 10.1.0.0/255.255.0.0", "ALL: ALL", v4, any, true},
		{"bits", "imap: 10.1.2.0/30", "ALL: ALL", v4, any, true},
		{"outside", "imap: 10.1.2.4/30", "ALL: ALL", v4, any, false},
		{"IPv6 net", "imap: [2001:db8::]/32", "ALL: ALL", v6, any, true},
		{"IPv6 host", "imap: [2001:db8::1]", "ALL: ALL", v6, any, true},
		{"another IPv6 host", "imap: [2001:db8::2]", "ALL: ALL", v6, any, false},
		{"name", "imap: mail.example.org", "ALL: ALL", v4, "mail.example.org", true},
		{"domain", "imap: .example.org", "ALL: ALL", v4, "mail.Example.org", true},
		{"domain is none of another", "imap: .example.org", "ALL: ALL", v4, "badexample.org", false},
		{"local", "imap: LOCAL", "ALL: ALL", v4, "mail", true},
		{"not local", "imap: LOCAL", "ALL: ALL", v4, "mail.example.org", false},
		{"unknown", "", "imap: UNKNOWN", v4, any, false},
		{"known", "", "imap: UNKNOWN", v4, "a.b", true},
		{"except", "imap: 10. EXCEPT 10.1.2.3", "ALL: ALL", v4, any, false},
		{"except another", "imap: 10. EXCEPT 10.1.2.4", "ALL: ALL", v4, any, true},
		{"except of except", "imap: ALL EXCEPT 10. EXCEPT 10.1.2.3", "ALL: ALL", v4, any, true},
		{"option deny", "imap: 10. : deny\nimap: ALL", "", v4, any, false},
		{"option allow in the other file", "", "imap: 10. : ALLOW", v4, any, true},
		{"comment and continuation", "# imap: ALL\nimap: \\\n 10.", "ALL: ALL", v4, any, true},
		{"no colon", "imap ALL", "ALL: ALL", v4, any, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			a := Access{filepath.Join(dir, "allow"), filepath.Join(dir, "deny")}
			for path, text := range map[string]string{a.Allow: tc.allow, a.Deny: tc.deny} {
				if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got := a.Permits("imap", netip.MustParseAddr(tc.ip), func() string { return tc.host })
			if got != tc.want {
				t.Errorf("permitted: %t, want %t", got, tc.want)
			}
		})
	}
}

func TestAccessWithoutFiles(t *testing.T) {
	a := Access{"/nonesuch/allow", "/nonesuch/deny"}
	if !a.Permits("imap", netip.MustParseAddr("::1"), func() string { t.Error("name asked for"); return "" }) {
		t.Error("refused without files")
	}
}

// FuzzAccess: no file makes it fail, and a file without a colon has no rule.
func FuzzAccess(f *testing.F) {
	f.Add("imap: 10. EXCEPT 10.1.", "10.1.2.3", "mail.example.org")
	f.Add("ALL: [::1]/128 : allow", "::1", "")
	f.Add("a\\:b: @: .", "127.0.0.1", ".")
	f.Fuzz(func(t *testing.T, text, ip, name string) {
		addr, err := netip.ParseAddr(ip)
		if err != nil {
			return
		}
		q := &query{daemon: "imap", ip: addr, name: func() string { return name }}
		for line := range linesOf([]byte(text)) {
			fields := splitColons(string(line))
			for _, field := range fields {
				q.list(field, q.clientMatches)
			}
		}
	})
}
