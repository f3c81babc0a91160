package imapurl

import (
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for url, want := range map[string]*URL{
		"":                         {},
		"/INBOX":                   {Mailbox: "INBOX"},
		"INBOX/":                   {Mailbox: "INBOX"},
		"/INBOX/;UID=20":           {Mailbox: "INBOX", UID: 20},
		"/INBOX;uid=20":            {Mailbox: "INBOX", UID: 20},
		";UID=20/;SECTION=HEADER":  {UID: 20, Section: "HEADER"},
		"/;UID=20":                 {UID: 20},
		"/a%20b/%C3%A9/;UID=1":     {Mailbox: "a b/é", UID: 1},
		"/x;UIDVALIDITY=3/;UID=4/": {Mailbox: "x", UIDValidity: 3, UID: 4},
		"/x;UIDVALIDITY=3/;UID=4/;SECTION=1.2/;PARTIAL=5.6": {Mailbox: "x", UIDValidity: 3, UID: 4, Section: "1.2", Partial: &Partial{5, 6}},
		"/x/;UID=4/;PARTIAL=5":                              {Mailbox: "x", UID: 4, Partial: &Partial{5, 0}},
		"/x/;UID=4/;PARTIAL=5.0":                            nil,
		"/x/;UID=0":                                         nil,
		"/x/;UID=4294967296":                                nil,
		"/x/;UID=":                                          nil,
		"/x/;UID=4;UID=4":                                   nil,
		"/x/;SECTION=1":                                     nil,
		"/x/;SECTION=1;UID=4":                               nil,
		"/x;":                                               nil,
		"/x;a=b":                                            nil,
		"/x%":                                               nil,
		"/x%0a":                                             nil,
		"/x%ff":                                             nil,
		"/x%00":                                             nil,
		"imap://h":                                          nil,
		"imap:///x":                                         nil,
		"IMAP://joe@h:1/x":                                  {User: "joe", Server: "h:1", Mailbox: "x"},
		"imap://j%40d;AUTH=*@h/x":                           {User: "j@d", Auth: "*", Server: "h", Mailbox: "x"},
		"imap://j;x=1@h/x":                                  nil,
		"imap://joe@h/x/;uid=20/;section=1.2;expire=2030-01-01T00:00:00Z;urlauth=submit+fred:internal:91354a473744909de610943775f92038": {
			User: "joe", Server: "h", Mailbox: "x", UID: 20, Section: "1.2", Expire: "2030-01-01T00:00:00Z", Access: "submit+fred",
			Mechanism: "internal", Token: "91354a473744909de610943775f92038",
			Rump: "imap://joe@h/x/;uid=20/;section=1.2;expire=2030-01-01T00:00:00Z;urlauth=submit+fred",
		},
		"imap://joe@h/x/;uid=20;urlauth=anonymous": {
			User: "joe", Server: "h", Mailbox: "x", UID: 20, Access: "anonymous", Rump: "imap://joe@h/x/;uid=20;urlauth=anonymous",
		},
		"imap://joe@h/x/;uid=20;urlauth=":                 nil,
		"imap://joe@h/x/;uid=20;urlauth=anonymous:a":      nil,
		"imap://joe@h/x/;uid=20;urlauth=anonymous;uid=20": nil,
		strings.Repeat("x", MaxLen+1):                     nil,
	} {
		got, err := Parse(url)
		if want == nil {
			if err == nil {
				t.Errorf("%s is %+v", url, got)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, %v; want %+v", url, got, err, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, tc := range []struct {
		p    *Partial
		want string
	}{
		{nil, "01234"}, {&Partial{}, "01234"}, {&Partial{1, 0}, "1234"}, {&Partial{1, 2}, "12"}, {&Partial{4, 9}, "4"}, {&Partial{9, 9}, ""},
		{&Partial{1<<32 - 1, 1<<32 - 1}, ""},
	} {
		if got := string(tc.p.Cut([]byte("01234"))); got != tc.want {
			t.Errorf("%+v: %q", tc.p, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("imap://joe;AUTH=*@h:1/x%20/;uidvalidity=1/;uid=20/;section=1.2/;partial=1.2;expire=x;urlauth=submit+fred:internal:9")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := Parse(s)
		if (u == nil) != (err != nil) {
			t.Errorf("%+v and %v", u, err)
		}
		if err == nil && !strings.HasPrefix(s, u.Rump) {
			t.Errorf("%q of %q", u.Rump, s)
		}
	})
}
