package config

import "testing"

func TestPartitions(t *testing.T) {
	c := load(t, "imap", "partition-b: /b\npartition-a: /a\nmetapartition-a: /meta\narchivepartition-a: /old\n"+
		"metapartition_files: header cache\nimap_partition-b: /own\nimap_partition-c: /c\nDefaultPartition: A\n")
	ps := c.Partitions()
	if len(ps) != 3 || ps[0].Name != "a" || ps[1].Data != "/own" || ps[2].Data != "/c" {
		t.Fatalf("Partitions = %+v", ps)
	}
	if got := c.Str("defaultpartition"); got != "a" {
		t.Errorf("defaultpartition = %q, want it in lower case", got)
	}
	a, ok := c.Partition("a")
	if !ok || a.MetaDir("header") != "/meta" || a.MetaDir("index") != "/a" || a.Archive != "" {
		t.Errorf("partition a = %+v", a)
	}
	if b, _ := c.Partition("b"); b.MetaDir("header") != "/own" {
		t.Errorf("partition b: MetaDir = %q", b.MetaDir("header"))
	}
	if _, ok := c.Partition("d"); ok {
		t.Error("partition d is not there")
	}
	if a, _ = load(t, "imap", "partition-a: /a\narchivepartition-a: /old\narchive_enabled: y\n").Partition("a"); a.Archive != "/old" {
		t.Errorf("archive of a = %q", a.Archive)
	}
}

func TestRequirePartitions(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"default", "defaultpartition: a\npartition-a: /a\n", ""},
		{"any", "partition-a: /a\n", ""},
		{"default is missing", "defaultpartition: b\npartition-a: /a\n", "partition-b option not specified in configuration file imapd.conf"},
		{"none", "", "partition-<name> option not specified in configuration file imapd.conf"},
		{"frontend", "mupdate_server: m\n", ""},
		{"unified", "mupdate_server: m\nmupdate_config: unified\n", "partition-<name> option not specified in configuration file imapd.conf"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := load(t, "imap", tc.text).RequirePartitions()
			if got := errText(err); got != tc.want {
				t.Errorf("error %q, want %q", got, tc.want)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
