package mailbox

import (
	"regexp"
	"strings"
	"testing"

	"gocyrus/lib/config"
	"gocyrus/lib/mboxlist"
)

// TestOptionsFrom checks where files are, by what an imapd.conf says.
func TestOptionsFrom(t *testing.T) {
	const base = "configdirectory: /c\npartition-default: /spool\ndefaultpartition: default\n"
	byID := &mboxlist.Entry{Name: "user.bob.Sub", UniqueID: "abcdef", Partition: "default", Type: "e"}
	legacy := &mboxlist.Entry{Name: "user.bob.Sub", UniqueID: "abcdef", Partition: "default", Type: "el"}
	for _, tc := range []struct {
		name, conf            string
		e                     *mboxlist.Entry
		index, cache, message string
		lock                  string
	}{
		{"by id", "", byID, "/spool/uuid/a/b/abcdef/cyrus.index", "/spool/uuid/a/b/abcdef/cyrus.cache", "/spool/uuid/a/b/abcdef/7.", "/c/lock/abcdef.lock"},
		{"legacy", "", legacy, "/spool/user/bob/Sub/cyrus.index", "/spool/user/bob/Sub/cyrus.cache", "/spool/user/bob/Sub/7.", "/c/lock/user/bob/Sub.lock"},
		{"metapartition", "metapartition-default: /meta\nmetapartition_files: index\n", legacy,
			"/meta/user/bob/Sub/cyrus.index", "/spool/user/bob/Sub/cyrus.cache", "/spool/user/bob/Sub/7.", "/c/lock/user/bob/Sub.lock"},
		{"metadir of one kind", "metapartition-default: /meta\nmetapartition_files: index cache\nmetadir-cache-default: /fast\n", byID,
			"/meta/uuid/a/b/abcdef/cyrus.index", "/fast/uuid/a/b/abcdef/cyrus.cache", "/spool/uuid/a/b/abcdef/7.", "/c/lock/abcdef.lock"},
		{"hashed", "hashimapspool: yes\nfulldirhash: yes\nmboxname_lockpath: /run/lock\n", legacy,
			"/spool/E/user/bob/Sub/cyrus.index", "/spool/E/user/bob/Sub/cyrus.cache", "/spool/E/user/bob/Sub/7.", "/run/lock/E/user/bob/Sub.lock"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg, err := config.Parse(strings.NewReader(base+tc.conf), "imapd.conf", "imap")
			if err != nil {
				t.Fatal(err)
			}
			s := NewStore(OptionsFrom(cfg), nil, nil)
			p, err := s.pathsOf(tc.e)
			if err != nil {
				t.Fatal(err)
			}
			if p.index != tc.index || p.cache != tc.cache || p.message(7, false) != tc.message || s.nameLock(tc.e) != tc.lock {
				t.Errorf("index %s, cache %s, message %s, lock %s", p.index, p.cache, p.message(7, false), s.nameLock(tc.e))
			}
		})
	}
}

// TestVersionOption checks the version and the unique ids of new mailboxes.
func TestVersionOption(t *testing.T) {
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	letters := regexp.MustCompile(`^[0-9a-z]{24}$`)
	for _, tc := range []struct {
		conf    string
		version uint32
		id      *regexp.Regexp
	}{
		{"", 19, uuid},
		{"index_version: 17\n", 17, letters},
		{"index_version: 19\n", 19, uuid},
		{"index_version: 20\n", 19, uuid}, // not written
	} {
		cfg, err := config.Parse(strings.NewReader("configdirectory: /c\npartition-default: /s\n"+tc.conf), "imapd.conf", "imap")
		if err != nil {
			t.Fatal(err)
		}
		s := NewStore(OptionsFrom(cfg), nil, nil)
		if s.opt.IndexVersion != tc.version {
			t.Errorf("%q: version %d, want %d", tc.conf, s.opt.IndexVersion, tc.version)
		}
		if a, b := s.NewUniqueID(), s.NewUniqueID(); !tc.id.MatchString(a) || a == b {
			t.Errorf("%q: unique ids %q, %q", tc.conf, a, b)
		}
	}
}
