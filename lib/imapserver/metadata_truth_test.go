package imapserver

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// metadataTruth is what a real server said of the annotations of a spool; nil is
// NIL.
type metadataTruth struct {
	Server    map[string]*string `json:"server_annotations"`
	Mailboxes map[string]struct {
		Admin        map[string]*string `json:"annotations_admin"`
		ExternalName map[string]string  `json:"external_name"`
		Views        map[string]struct {
			Annotations map[string]*string
			Messages    []map[string]any
		}
	}
}

// since310 are entries that 3.6.1 does not know.
func since310(entry string) bool {
	return strings.HasSuffix(entry, "/noexpire_until") || strings.HasSuffix(entry, "/userrawquota")
}

// TestMetadataTruth asks for all annotations of the spools of real servers, as the
// administrator and as each user: the same entries have values, the same are NIL.
func TestMetadataTruth(t *testing.T) {
	for _, name := range []string{
		"cyrus-3.6.1-default", "cyrus-3.6.1-classic", "cyrus-3.6.1-oldindex", "cyrus-3.10.3-conversations",
	} {
		t.Run(name, func(t *testing.T) {
			dial, spool := spoolServer(t, name)
			var all metadataTruth
			spool.Truth(t, name, &all)
			sessions := map[string]*client{}
			facts := 0
			check := func(user, box, ext string, want map[string]*string) {
				if sessions[user] == nil {
					sessions[user] = login(t, dial, user)
				}
				got := sessions[user].metadata(ext)
				if strings.HasPrefix(name, "cyrus-3.6") {
					maps.DeleteFunc(got, func(entry string, _ *string) bool { return since310(entry) })
				}
				facts += len(want)
				compareMetadata(t, box+" for "+user, got, want)
			}
			check("cyrus", "the server", "", all.Server)
			for box, m := range all.Mailboxes {
				if len(m.Admin) > 0 {
					check("cyrus", box, box, m.Admin)
				}
				for user, view := range m.Views {
					if ext, ok := m.ExternalName[user]; ok {
						check(user, box, ext, view.Annotations)
						facts += checkMessageAnnots(t, sessions[user], box+" for "+user, ext, view.Messages)
					}
				}
			}
			if facts < 1000 {
				t.Errorf("only %d facts were checked", facts)
			}
			t.Logf("%d facts", facts)
		})
	}
}

func compareMetadata(t *testing.T, what string, got, want map[string]*string) {
	t.Helper()
	text := func(m map[string]*string, entry string) string {
		v, ok := m[entry]
		switch {
		case !ok:
			return "not told"
		case v == nil:
			return "NIL"
		}
		return *v
	}
	entries := slices.Concat(slices.Collect(maps.Keys(got)), slices.Collect(maps.Keys(want)))
	slices.Sort(entries)
	for _, entry := range slices.Compact(entries) {
		g, w := text(got, entry), text(want, entry)
		if strings.Contains(entry, "/freespace") && got[entry] != nil && want[entry] != nil {
			continue // of that machine
		}
		if entry == "/shared/motd" {
			continue // the file came later
		}
		if strings.HasSuffix(entry, "/lastupdate") && len(g) == len(w) {
			continue // of the file as it was unpacked
		}
		if g != w {
			t.Errorf("%s: %s is %s, want %s", what, entry, g, w)
		}
	}
}

// metadata asks for all annotations of a mailbox.
func (c *client) metadata(ext string) map[string]*string {
	c.t.Helper()
	fmt.Fprintf(c, "m GETMETADATA (DEPTH infinity) \"%s\" (/shared /private)\r\n", ext)
	out := map[string]*string{}
	for {
		word, err := c.r.ReadString(' ')
		if err != nil {
			c.t.Fatal(err)
		}
		if word == "m " {
			if rest := c.line(); !strings.HasPrefix(rest, "OK") {
				c.t.Fatalf("GETMETADATA %q: %s", ext, rest)
			}
			return out
		}
		line, err := c.r.ReadString('(') // METADATA name (
		if err != nil || !strings.HasPrefix(line, "METADATA ") {
			c.t.Fatalf("%q, %v", line, err)
		}
		if err := c.r.UnreadByte(); err != nil {
			c.t.Fatal(err)
		}
		v, err := reader{c.r}.value()
		list, ok := v.([]any)
		if err != nil || !ok || len(list)%2 != 0 || c.line() != "" {
			c.t.Fatalf("GETMETADATA %q: %v, %v", ext, v, err)
		}
		for i := 0; i < len(list); i += 2 {
			var value *string
			if list[i+1] != nil {
				s := fmt.Sprint(plain(list[i+1]))
				value = &s
			}
			out[fmt.Sprint(list[i])] = value
		}
	}
}

// checkMessageAnnots compares the annotations of messages where a real server's are
// known.
func checkMessageAnnots(t *testing.T, c *client, what, ext string, messages []map[string]any) (facts int) {
	t.Helper()
	if len(messages) == 0 || messages[0]["ANNOTATION"] == nil {
		return 0
	}
	c.do(`EXAMINE "` + ext + `"`)
	answers := c.fetch(t, "UID FETCH 1:* (ANNOTATION (/* (value.priv value.shared)))")
	for _, want := range messages {
		seq := int(want["_seq"].(float64))
		facts++
		if g, w := plain(answers[seq]["ANNOTATION"]), plain(want["ANNOTATION"]); !reflect.DeepEqual(g, w) {
			t.Errorf("%s: message %d:\n got %v\nwant %v", what, seq, g, w)
		}
	}
	return facts
}
