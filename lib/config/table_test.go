package config

import (
	"slices"
	"strings"
	"testing"
)

// TestTable holds the rows of the table to what the rest takes for granted.
func TestTable(t *testing.T) {
	if got := len(Options()) - len(ownOptions); got != 541 {
		t.Errorf("%d options of Cyrus's, want the 541 of 3.10", got)
	}
	for i, o := range Options() {
		if i > 0 && Options()[i-1].Name >= o.Name {
			t.Errorf("%s is there twice, or out of order", o.Name)
		}
		if got, ok := Lookup(o.Name); !ok || got.Name != o.Name {
			t.Errorf("Lookup(%s) finds %v", o.Name, got)
		}
		if o.Name != strings.ToLower(o.Name) || o.Help == "" || o.Since == "" {
			t.Errorf("%s: name, help or since", o.Name)
		}
		if _, err := ParseRelease(o.Changed); err != nil {
			t.Errorf("%s: changed in %q", o.Name, o.Changed)
		}
		if words := o.Type == Enum || o.Type == StringList || o.Type == Bitfield; words != (len(o.Allowed) > 0) {
			t.Errorf("%s: a %v with words %q", o.Name, o.Type, o.Allowed)
		}
		if len(o.Allowed) > 62 {
			t.Errorf("%s: %d words do not fit", o.Name, len(o.Allowed))
		}
		if unit := o.Type == Duration || o.Type == ByteSize; unit != (o.Unit != 0) {
			t.Errorf("%s: a %v with unit %q", o.Name, o.Type, o.Unit)
		}
		if o.UseInstead == "" {
			continue
		}
		if to, ok := Lookup(o.UseInstead); !ok || to.Type != o.Type || to.Unit != o.Unit || to.Deprecated != "" || o.Deprecated == "" {
			t.Errorf("%s: cannot be replaced by %s", o.Name, o.UseInstead)
		}
	}
}

// Every name in the list of honoured options is one, is current and stands
// there once.
func TestHonouredNames(t *testing.T) {
	names := strings.Fields(honouredNames)
	slices.Sort(names)
	for i, name := range names {
		if o, ok := Lookup(name); !ok || o.Deprecated != "" {
			t.Errorf("honoured option %s is unknown or deprecated", name)
		}
		if i > 0 && names[i-1] == name {
			t.Errorf("honoured option %s is listed twice", name)
		}
	}
}

func TestWarnings(t *testing.T) {
	c := load(t, "imap", strings.Join([]string{
		"caringo_port: 81",        // line 2: not honoured
		"caringo_hostname: h",     //
		"openio_rawx_timeout: 30", // the default, in other words
		"sasl_mech_list: PLAIN",   // free-form, known
		"lmtp_timeout: 5",         // another service's
		"backend1_password: s",    //
		"newspool: /n",            // line 8: unknown
		"sieve_extensions: fileinto imapflags",
		"partition-a: /spool",
		"partition-b: /spool/b",
		"metapartition-a: /meta/",
		"archivepartition-a: /meta",
		"partition-c: /spoolc",
		"",
	}, "\n"))
	want := []string{
		"Value 'imapflags' for option 'sieve_extensions' is deprecated in favor of value 'imap4flags'",
		"Option 'caringo_hostname' on line 3 of imapd.conf is not honoured by this server",
		"Option 'caringo_port' on line 2 of imapd.conf is not honoured by this server",
		"Option 'newspool' on line 8 of imapd.conf is unknown",
		"metapartition-a and archivepartition-a share the place /meta/",
		"partition-a and partition-b share the place /spool",
	}
	got := slices.DeleteFunc(c.Warnings(), func(w string) bool { return strings.Contains(w, "'sieve_extensions' on line") })
	if !slices.Equal(got, want) {
		t.Errorf("warnings:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAccessPanics(t *testing.T) {
	c := load(t, "imap", "")
	for name, f := range map[string]func(){
		"no such option":        func() { c.Str("no_such_option") },
		"another type":          func() { c.Int("admins") },
		"deprecated":            func() { c.Duration("archive_days") },
		"bit of another option": func() { c.Has("admins", "x") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestAccess(t *testing.T) {
	c := load(t, "imap", "admins: a  b\tc\nvirtdomains: yes\nserverinfo: 0\nmetapartition_files: cache header\ndelete_mode: immediate\n")
	if got := c.List("admins"); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("List = %q", got)
	}
	if c.Enum("virtdomains") != "on" || c.Enum("serverinfo") != "off" || c.Enum("delete_mode") != "immediate" {
		t.Errorf("Enum = %q, %q, %q", c.Enum("virtdomains"), c.Enum("serverinfo"), c.Enum("delete_mode"))
	}
	if got := c.Bits("metapartition_files"); !slices.Equal(got, []string{"header", "cache"}) {
		t.Errorf("Bits = %q", got)
	}
	if !c.Has("metapartition_files", "cache") || c.Has("metapartition_files", "index") || c.Has("metapartition_files", "x") {
		t.Error("Has is wrong")
	}
	if c.Int("sessions_per_process") != 5000 || c.Bytes("archive_maxsize") != 1<<20 || c.IsSet("servername") || !c.IsSet("admins") {
		t.Error("defaults are wrong")
	}
	if c.Service() != "imap" {
		t.Errorf("Service = %q", c.Service())
	}
}
