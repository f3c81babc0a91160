package mupdate

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/config"
)

func TestOptionsFrom(t *testing.T) {
	for _, tc := range []struct {
		name, conf string
		want       Options // the fields below
	}{
		{"alone", "", Options{}},
		{"frontend", "mupdate_server: mup\nmupdate_authname: m\nmupdate_password: p\n", Options{Servers: []string{"mup"}, Kicks: true}},
		{"two masters", "mupdate_server: mup1 mup2:99/tls\n", Options{Servers: []string{"mup1", "mup2:99/tls"}, Kicks: true}},
		{"backend", "mupdate_server: mup\nproxyservers: murder\n", Options{Servers: []string{"mup"}}},
		{"unified", "mupdate_server: mup\nproxyservers: murder\nmupdate_config: unified\n", Options{Servers: []string{"mup"}, Kicks: true}},
		{"mechanisms", "mupdate_server: mup\nforce_sasl_client_mech: SCRAM-SHA-256 PLAIN\n",
			Options{Servers: []string{"mup"}, Kicks: true, Mechs: []string{"SCRAM-SHA-256", "PLAIN"}}},
	} {
		cfg, err := config.Parse(strings.NewReader("configdirectory: /var/lib/imap\n"+tc.conf), "imapd.conf", "imap")
		if err != nil {
			t.Fatal(err)
		}
		o := OptionsFrom(cfg)
		got := Options{Servers: o.Servers, Kicks: o.Kicks, Mechs: o.Mechs}
		if len(got.Servers) == 0 {
			got.Servers = nil
		}
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
		if o.KickSocket != "/var/lib/imap/socket/mupdate.target" || o.RetryDelay != 20*time.Second || o.Timeout != 10*time.Second || o.Enabled() != (got.Servers != nil) {
			t.Errorf("%s: %+v", tc.name, o)
		}
	}
}
