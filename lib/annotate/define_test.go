package annotate

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"gocyrus/lib/acl"
)

func TestCanonical(t *testing.T) {
	for _, tc := range []struct {
		kind     Kind
		in, want string
		ok       bool
	}{
		{Text, "a\x00b", "a\x00b", true},
		{Boolean, "TRUE", "true", true},
		{Boolean, "False", "false", true},
		{Boolean, "yes", "", false},
		{Boolean, "1", "", false},
		{Unsigned, "5", "5", true},
		{Unsigned, "+5", "+5", true},
		{Unsigned, " 5", " 5", true},
		{Unsigned, "5 ", "", false},
		{Unsigned, "-5", "", false},
		{Unsigned, "+-5", "", false},
		{Unsigned, "++5", "", false},
		{Unsigned, "0x5", "", false},
		{Unsigned, "1_0", "", false},
		{Unsigned, "18446744073709551615", "18446744073709551615", true},
		{Unsigned, "18446744073709551616", "", false},
		{Signed, "-5", "-5", true},
		{Signed, "9223372036854775808", "", false},
		{Signed, "five", "", false},
		{Duration, "7", "7", true},
		{Duration, "1d12h", "1d12h", true},
		{Duration, "-1", "", false},
		{Duration, "1w", "", false},
	} {
		got, err := tc.kind.Canonical(tc.in)
		if got != tc.want || (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrValue) {
			t.Errorf("%d: %q is %q, %v; want %q", tc.kind, tc.in, got, err, tc.want)
		}
	}
}

const definitions = `# comment
/vendor/example.com/boxcolor, mailbox, string, backend, value.shared value.priv, wn

  /Vendor/Example.com/SRV,SERVER,Boolean,proxy_and_backend,value content-type.shared,
/vendor/example.com/num,mailbox,uint,proxy backend,size.priv value.priv,zz
/vendor/example.com/msg,message,content-type,backend,value.shared,
/only/for/proxies,mailbox,int,proxy,value.shared,
`

func TestParseDefinitions(t *testing.T) {
	got, err := ParseDefinitions(strings.NewReader(definitions), func(line int, err error) { t.Errorf("line %d: %v", line, err) })
	want := []Definition{
		{Name: "/vendor/example.com/boxcolor", Place: OfMailbox, Shared: true, Own: true, Rights: acl.Write | acl.Annotate},
		{Name: "/vendor/example.com/srv", Place: OfServer, Kind: Boolean, Shared: true, Own: true},
		{Name: "/vendor/example.com/num", Place: OfMailbox, Kind: Unsigned, Own: true},
		{Name: "/vendor/example.com/msg", Place: OfMessage, Shared: true},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v\nwant %+v", got, err, want)
	}
}

func TestBadDefinitions(t *testing.T) {
	for _, line := range []string{
		"/a", "/a,mailbox,string,backend,value.shared", "/a,mailbox,string,backend,value.shared,w,junk",
		"/a,folder,string,backend,value.shared,", "/a,mailbox,blob,backend,value.shared,",
		"/a,mailbox,string,frontend,value.shared,", "/a,mailbox,string,backend,value.mine,",
		"/a b,mailbox,string,backend,value.shared,", "a,mailbox,string,backend,value.shared,", ",mailbox,string,backend,value.shared,",
		"/vendor/cmu/cyrus-imapd/x,mailbox,string,backend,value.shared,", "/flags/x,message,string,backend,value.shared,",
	} {
		bad := 0
		got, err := ParseDefinitions(strings.NewReader("\n"+line+"\n"), func(n int, _ error) { bad += n })
		if len(got) != 0 || err != nil || bad != 2 {
			t.Errorf("%q: %+v, %v, told %d", line, got, err, bad)
		}
	}
}

// FuzzDefinitions checks that what is taken may be defined.
func FuzzDefinitions(f *testing.F) {
	f.Add(definitions)
	f.Add("/a,message,int,backend,value,n")
	f.Fuzz(func(t *testing.T, text string) {
		all, _ := ParseDefinitions(strings.NewReader(text), func(int, error) {})
		for _, d := range all {
			if d.Name != strings.ToLower(d.Name) || !strings.HasPrefix(d.Name, "/") || strings.HasPrefix(d.Name, Vendor) || strings.ContainsAny(d.Name, "*% ,") {
				t.Errorf("%+v", d)
			}
		}
	})
}

// FuzzCanonical checks that what is stored is a value again, and the same.
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"TRUE", "+5", " -7", "1d", ""} {
		f.Add(uint8(Unsigned), s)
	}
	f.Fuzz(func(t *testing.T, kind uint8, s string) {
		k := Kind(kind % 5)
		v, err := k.Canonical(s)
		if err != nil {
			return
		}
		if again, err := k.Canonical(v); err != nil || again != v {
			t.Errorf("kind %d: %q is %q, then %q, %v", k, s, v, again, err)
		}
	})
}
