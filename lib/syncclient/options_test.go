package syncclient

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/config"
)

func TestOptionsFrom(t *testing.T) {
	const text = `configdirectory: /c
sync_host: main.example.org
sync_port: 2005
sync_authname: repl
sync_password: secret
sync_realm: example.org
sync_repeat_interval: 5s
sync_shutdown_file: /c/stop
sync_timeout: 1s
sync_reconnect_maxwait: 1m
sync_try_imap: 1
force_sasl_client_mech: PLAIN LOGIN
far_sync_host: far.example.org
far_sync_port: 2006
far_sync_authname: far
far_sync_password: other
far_sync_realm: far.example.org
far_sync_repeat_interval: 1m
far_sync_shutdown_file: /c/stop.far
far_sync_cache_db_path: /c/far.db
far_sync_try_imap: 0
bad_sync_repeat_interval: soon
far_mechs: PLAIN
`
	cfg, err := config.Parse(strings.NewReader(text), "imapd.conf", "sync_client")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		channel                                     string
		host, port, user, password, realm, shutdown string
		cache                                       string
		try                                         bool
		interval                                    time.Duration
	}{
		{"", "main.example.org", "2005", "repl", "secret", "example.org", "/c/stop", "", true, 5 * time.Second},
		{"far", "far.example.org", "2006", "far", "other", "far.example.org", "/c/stop.far", "/c/far.db", false, time.Minute},
		{"other", "main.example.org", "2005", "repl", "secret", "example.org", "/c/stop", "", true, 5 * time.Second},
	} {
		o, err := OptionsFrom(cfg, tc.channel)
		if err != nil {
			t.Fatal(err)
		}
		d := o.Dial
		if d.Addr != tc.host || d.Port != tc.port || d.Cred.AuthcID != tc.user || d.Cred.Password != tc.password || d.Cred.Realm != tc.realm ||
			o.ShutdownFile != tc.shutdown || o.CachePath != tc.cache || d.TryIMAP != tc.try || o.Interval != tc.interval {
			t.Errorf("channel %q: %+v", tc.channel, o)
		}
		if d.Timeout != leastTimeout || o.MaxWait != time.Minute || !slices.Equal(d.Mechs, []string{"PLAIN", "LOGIN"}) {
			t.Errorf("channel %q: %v %v %v", tc.channel, d.Timeout, o.MaxWait, d.Mechs)
		}
	}
	var bad *config.Error
	if _, err := OptionsFrom(cfg, "bad"); !errors.As(err, &bad) {
		t.Errorf("a bad interval: %v", err)
	}
	// Mechanisms for a host count where none are forced.
	o, err := OptionsFrom(cfg, "far")
	if err != nil {
		t.Fatal(err)
	}
	o.Dial.Mechs = nil
	if d, err := o.dialing(); err != nil || !slices.Equal(d.Mechs, []string{"PLAIN"}) {
		t.Errorf("mechanisms of a host: %v %v", d.Mechs, err)
	}
}

func TestLockName(t *testing.T) {
	if got, want := lockName("127.0.0.1", "john.doe"), "*S*127^0^0^1*john^doe"; got != want {
		t.Errorf("lockName = %q; want %q", got, want)
	}
}
