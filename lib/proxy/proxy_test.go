package proxy

import (
	"errors"
	"strings"
	"testing"

	"gocyrus/lib/config"
)

func parse(t *testing.T, text string) *Options {
	t.Helper()
	cfg, err := config.Parse(strings.NewReader("configdirectory: /tmp\n"+text), "imapd.conf", "imap")
	if err != nil {
		t.Fatal(err)
	}
	return OptionsFrom(cfg)
}

// TestRole: who is a frontend stands in imapd.conf.
func TestRole(t *testing.T) {
	for text, want := range map[string]bool{
		"":                      false,
		"mupdate_server: mup\n": true,
		"mupdate_server: mup\nproxyservers: murder\n":       false,
		"mupdate_server: mup\nmupdate_config: unified\n":    false,
		"mupdate_server: mup\nmupdate_config: standard\n":   true,
		"mupdate_server: mup\nmupdate_config: replicated\n": false,
	} {
		if got := parse(t, text).Frontend; got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// TestLogin: what is set for one server goes before what is set for all.
func TestLogin(t *testing.T) {
	o := parse(t, "proxy_password: all\nbe1_password: one\nforce_sasl_client_mech: SCRAM-SHA-1\nbe2_mechs: PLAIN LOGIN\nbe1_client_cert: /c\nserverlist: be1.example.org  be2\n")
	if l := o.loginFor("be1.example.org"); l.password != "one" || len(l.mechs) != 1 || l.mechs[0] != "SCRAM-SHA-1" {
		t.Errorf("%+v", l)
	}
	if l := o.loginFor("BE2.example.org"); l.password != "all" || len(l.mechs) != 2 {
		t.Errorf("%+v", l)
	}
	if c := o.tlsFor("be1").ClientCert; c != "/c" {
		t.Error(c)
	}
	if o.AuthName != "proxy" || len(o.Servers) != 2 || o.Mode != Most {
		t.Errorf("%+v", o)
	}
}

func TestParseServer(t *testing.T) {
	for server, want := range map[string]address{
		"be1.example.org":        {"be1.example.org", "be1.example.org:143", false, false},
		"be1:2143":               {"be1", "be1:2143", false, false},
		"be1:993/tls":            {"be1", "be1:993", true, false},
		"be1:993/tls/noauth":     {"be1", "be1:993", true, true},
		"[::1]:143":              {"::1", "[::1]:143", false, false},
		"::1":                    {"::1", "[::1]:143", false, false},
		"/run/cyrus/socket/lmtp": {"", "/run/cyrus/socket/lmtp", false, true},
	} {
		if got := parseServer(server, "143"); got != want {
			t.Errorf("%s: %+v", server, got)
		}
	}
}

func TestSpace(t *testing.T) {
	if s, ok := ParseSpace("12;48"); !ok || s.percent() != 25 {
		t.Errorf("%v, %v", s, ok)
	}
	for _, bad := range []string{"", "1", "x;y", "2;1", "0;0", "-1;4"} {
		if s, ok := ParseSpace(bad); ok {
			t.Errorf("%q: %v", bad, s)
		}
	}
}

func TestPick(t *testing.T) {
	spaces := map[string]Space{"a": {10, 100}, "b": {300, 1000}, "c": {90, 200}}
	for _, tc := range []struct {
		mode  Mode
		limit int
		at    float64
		want  string
	}{
		{Most, 0, 0, "b"},
		{PercentMost, 0, 0, "c"},
		{PercentMost, 60, 0, "c"},
		{Most, 60, 0, "c"}, // b is 70 % full
		{Most, 10, 0, "b"}, // all are fuller
		{Weighted, 0, 0.1, "a"},
		{Weighted, 0, 0.2, "b"},
		{Weighted, 0, 0.99, "c"},
		{WeightedDelta, 0, 0.005, "a"},
		{WeightedDelta, 0, 0.1, "b"},
		{WeightedDelta, 0, 0.9, "c"},
	} {
		o := &Options{Servers: []string{"a", "b", "c", "away"}, Mode: tc.mode, SoftLimit: tc.limit}
		if got, ok := o.choose(spaces, tc.at); !ok || got != tc.want {
			t.Errorf("%s %d %v: %s, want %s", tc.mode, tc.limit, tc.at, got, tc.want)
		}
	}
}

// TestPickAsks: the servers are asked as often as the site wants.
func TestPickAsks(t *testing.T) {
	asked := 0
	ask := func(server, entry string) (Space, bool) {
		asked++
		return Space{10, 100}, server != "away"
	}
	c := NewChooser(&Options{Servers: []string{"a", "away"}, Mode: Most, Reinit: 3})
	for range 6 {
		if s, err := c.Pick(ask); err != nil || s != "a" {
			t.Fatal(s, err)
		}
	}
	if asked != 4 {
		t.Errorf("asked %d times", asked)
	}
	if _, err := NewChooser(&Options{}).Pick(ask); !errors.Is(err, ErrNoServer) {
		t.Error(err)
	}
	none := func(string, string) (Space, bool) { return Space{}, false }
	if _, err := NewChooser(&Options{Servers: []string{"a", "b"}, Mode: Most}).Pick(none); !errors.Is(err, ErrNoServer) {
		t.Error(err)
	}
}
