package imapserver

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/config"
	"gocyrus/lib/index/indextest"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/site"
)

// truth is what a real server said of a spool over IMAP.
type truth struct {
	Mailboxes map[string]struct {
		ExternalName map[string]string `json:"external_name"`
		Views        map[string]struct {
			Select   []string
			Messages []map[string]any
		}
	}
}

// TestTruth serves spools that real servers wrote and answers as those did:
// EXAMINE for every user, and every fact of every message.
func TestTruth(t *testing.T) {
	for _, name := range []string{
		"cyrus-3.6.1-default", "cyrus-3.6.1-classic", "cyrus-3.6.1-oldindex", "cyrus-3.10.3-conversations",
	} {
		t.Run(name, func(t *testing.T) {
			dial, spool := spoolServer(t, name)
			var all truth
			spool.Truth(t, name, &all)
			sessions := map[string]*client{}
			facts := 0
			for box, m := range all.Mailboxes {
				for user, view := range m.Views {
					ext, ok := m.ExternalName[user]
					if !ok {
						continue
					}
					if sessions[user] == nil {
						sessions[user] = login(t, dial, user)
					}
					facts += checkView(t, sessions[user], box+" for "+user, ext, view.Select, view.Messages)
				}
			}
			if facts < 1000 {
				t.Errorf("only %d facts were checked", facts)
			}
			t.Logf("%d facts", facts)
		})
	}
}

// spoolServer serves a spool of the fixtures.
func spoolServer(t testing.TB, name string) (func() net.Conn, *indextest.Spool) {
	t.Helper()
	spool := indextest.Open(t, name)
	conf := strings.NewReplacer(
		"sasl_pwcheck_method: auxprop", "sasl_pwcheck_method: alwaystrue", "sasl_auxprop_plugin: sasldb\n", "",
	).Replace(spool.Conf)
	conf += "\nmboxlist_db_path: " + filepath.Join(spool.Root, "list.db") + "\n"
	cfg, err := config.Parse(strings.NewReader(conf), "imapd.conf", "imap")
	if err != nil {
		t.Fatal(err)
	}
	st, err := site.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = st.List.Update(func(tx *mboxlist.Tx) error {
		for _, e := range spool.Entries {
			if err := tx.Put(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := newServer(cfg, OptionsFrom(cfg), st)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Shutdown(context.Background()) })
	return dialer(t, srv), spool
}

func checkView(t *testing.T, c *client, what, ext string, examine []string, messages []map[string]any) (facts int) {
	t.Helper()
	got := c.do(`EXAMINE "` + ext + `"`)
	got = slices.DeleteFunc(got, func(s string) bool { return s == "* OK [CLOSED] Ok" })
	if !slices.Equal(got, examine) {
		t.Errorf("%s: EXAMINE:\n got %q\nwant %q", what, got, examine)
	}
	facts += len(examine)
	if len(messages) == 0 {
		return facts
	}
	items := "FLAGS MODSEQ"
	if _, full := messages[0]["ENVELOPE"]; full {
		items += " INTERNALDATE RFC822.SIZE SAVEDATE CREATEDMODSEQ EMAILID THREADID DIGEST.SHA1 ENVELOPE BODYSTRUCTURE BODY BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT]"
	}
	answers := c.fetch(t, "UID FETCH 1:* ("+items+")")
	for _, want := range messages {
		seq, uid := int(want["_seq"].(float64)), want["UID"].(float64)
		answer := answers[seq]
		where := fmt.Sprintf("%s: message %d (uid %.0f)", what, seq, uid)
		for _, key := range slices.Sorted(maps.Keys(want)) {
			switch key {
			case "_seq", "ANNOTATION":
			case "_raw":
				facts += checkRaw(t, where, answer, want[key].(map[string]any))
			case "_parts":
				facts += checkParts(t, c, where, int(uid), want[key].(map[string]any))
			default:
				facts++
				if g, w := plain(answer[key]), plain(want[key]); !reflect.DeepEqual(g, w) {
					t.Errorf("%s: %s:\n got %#v\nwant %#v", where, key, g, w)
				}
			}
		}
	}
	return facts
}

// plain gives values of both sources one form.
func plain(v any) any {
	switch v := v.(type) {
	case float64:
		return fmt.Sprint(int64(v))
	case raw:
		return v.latin1()
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	}
	return v
}

// digest is a piece of a message as the truth files describe it.
type digest struct {
	Len  int
	SHA1 string
}

func digestOf(v any) *digest {
	var s string
	switch v := v.(type) {
	case string:
		s = v
	case raw:
		s = string(v)
	default:
		return nil
	}
	sum := sha1.Sum([]byte(s))
	return &digest{len(s), hex.EncodeToString(sum[:])}
}

func wanted(t *testing.T, v any) *digest {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var d *digest
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func checkRaw(t *testing.T, where string, answer, want map[string]any) int {
	t.Helper()
	for name, w := range want {
		if g := digestOf(answer[name]); !reflect.DeepEqual(g, wanted(t, w)) {
			t.Errorf("%s: %s: got %+v, want %v", where, name, g, w)
		}
	}
	return len(want)
}

// checkParts asks for every part in all the ways there are.
func checkParts(t *testing.T, c *client, where string, uid int, parts map[string]any) (facts int) {
	t.Helper()
	for part, v := range parts {
		want := v.(map[string]any)
		answers := c.fetch(t, fmt.Sprintf("UID FETCH %d (BODY.PEEK[%s] BODY.PEEK[%s.MIME] BINARY.PEEK[%s] BINARY.SIZE[%s])", uid, part, part, part, part))
		for _, answer := range answers {
			for key, name := range map[string]string{
				"body": "BODY[" + part + "]", "mime": "BODY[" + part + ".MIME]", "binary": "BINARY[" + part + "]",
			} {
				facts++
				if g := digestOf(answer[name]); want[key] != nil && !reflect.DeepEqual(g, wanted(t, want[key])) {
					t.Errorf("%s: %s: got %+v, want %v", where, name, g, want[key])
				}
			}
			facts++
			if g, w := answer["BINARY.SIZE["+part+"]"], want["binsize"]; w != nil && plain(g) != plain(w) {
				t.Errorf("%s: size of %s: got %v, want %v", where, part, g, w)
			}
		}
	}
	return facts
}

// fetch sends a FETCH and reads the answers, by message number.
func (c *client) fetch(t *testing.T, command string) map[int]map[string]any {
	t.Helper()
	fmt.Fprintf(c, "f %s\r\n", command)
	out := map[int]map[string]any{}
	for {
		word, err := c.r.ReadString(' ')
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		if word == "f " {
			if rest := c.line(); !strings.HasPrefix(rest, "OK") {
				// The whole may be refused for one part that cannot be decoded.
				if !strings.HasPrefix(rest, "NO [UNKNOWN-CTE]") {
					t.Fatalf("%s: %s", command, rest)
				}
			}
			return out
		}
		var seq int
		var name string
		if _, err := fmt.Fscanf(c.r, "%d %s ", &seq, &name); err != nil || name != "FETCH" {
			if line := c.line(); err == nil {
				t.Fatalf("%s: %d %s %s", command, seq, name, line)
			}
			continue // an untagged OK
		}
		m, err := reader{c.r}.message()
		if err != nil {
			t.Fatalf("%s: message %d: %v", command, seq, err)
		}
		out[seq] = m
		if rest := c.line(); rest != "" {
			t.Fatalf("%s: %q after message %d", command, rest, seq)
		}
	}
}
