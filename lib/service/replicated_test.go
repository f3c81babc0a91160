package service

import (
	"errors"
	"strings"
	"testing"

	"gocyrus/lib/config"
)

func TestCheckMurder(t *testing.T) {
	for text, want := range map[string]error{
		"":                             nil,
		"mupdate_config: replicated\n": nil, // a master
		"mupdate_server: mup\n":        nil,
		"mupdate_server: mup\nmupdate_config: unified\n":                          nil,
		"mupdate_server: mup\nmupdate_config: replicated\n":                       ErrReplicated,
		"mupdate_server: mup\nmupdate_config: replicated\nproxyservers: murder\n": ErrReplicated,
	} {
		cfg, err := config.Parse(strings.NewReader("configdirectory: /tmp\n"+text), "imapd.conf", "imap")
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckMurder(cfg); !errors.Is(err, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
