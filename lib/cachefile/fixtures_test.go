package cachefile

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"gocyrus/lib/charset"
	"gocyrus/lib/message"
	"gocyrus/lib/recorded"
)

func fixture(t *testing.T, name string) io.Reader {
	f, err := os.Open(recorded.Path(t, "spool", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// bySum are the message files of a spool by their digests in hexadecimal.
func bySum(t *testing.T, name string) map[string][]byte {
	files := make(map[string][]byte)
	for r := tar.NewReader(fixture(t, name+".tar.gz")); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg && strings.HasSuffix(h.Name, ".") {
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			files[sumOf(b)] = b
		}
	}
}

func sumOf(b []byte) string {
	s := sha1.Sum(b)
	return hex.EncodeToString(s[:])
}

// octets is what truth.json says of octets that a server sent.
type octets struct {
	Len  int    `json:"len"`
	SHA1 string `json:"sha1"`
}

func (o *octets) is(b []byte) bool { return o == nil || o.Len == len(b) && o.SHA1 == sumOf(b) }

// told is what an IMAP server said of a message.
type told struct {
	Sum   string `json:"DIGEST.SHA1"`
	UID   int
	Parts map[string]struct {
		Body, Mime, Binary *octets
		BinSize            *int
	} `json:"_parts"`
}

// TestTruth compares sections of all fixture messages with what the servers
// that stored them answered.
func TestTruth(t *testing.T) {
	for _, name := range []string{"cyrus-3.6.1-default", "cyrus-3.10.3-conversations"} {
		t.Run(name, func(t *testing.T) {
			files := bySum(t, name)
			var truth struct {
				Mailboxes map[string]struct {
					Views map[string]struct{ Messages []told }
				}
			}
			if err := json.NewDecoder(fixture(t, name+".truth.json.gz")).Decode(&truth); err != nil {
				t.Fatal(err)
			}
			parts := 0
			for box, m := range truth.Mailboxes {
				for _, v := range m.Views {
					for _, msg := range v.Messages {
						if b := files[msg.Sum]; b != nil {
							parts += checkTold(t, box, b, msg)
						}
					}
				}
			}
			if t.Logf("%d parts", parts); parts < 100 {
				t.Errorf("only %d parts", parts)
			}
		})
	}
}

func checkTold(t *testing.T, box string, b []byte, msg told) (parts int) {
	m, err := message.Parse(b, message.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	tab, err := Get(m.Cache, Section)
	if err != nil {
		t.Fatal(err)
	}
	for number, said := range msg.Parts {
		var path []int
		for s := range strings.SplitSeq(number, ".") {
			n, err := strconv.Atoi(s)
			if err != nil {
				t.Fatal(err)
			}
			path = append(path, n)
		}
		p, offset, size, err := Find(tab, path, Content)
		if err != nil {
			t.Errorf("%s %d, part %s: %v", box, msg.UID, number, err)
			continue
		}
		parts++
		body := b[offset : offset+size]
		_, mo, ms, err := Find(tab, path, MIME)
		if !said.Body.is(body) || err != nil || !said.Mime.is(b[mo:mo+ms]) {
			t.Errorf("%s %d, part %s: body %q, header %q, %v", box, msg.UID, number, body, b[mo:mo+ms], err)
		}
		if p.GUID == [20]byte{} {
			continue // a container, or in an unknown encoding
		}
		var d charset.Decoder
		d.Reset(p.Encoding)
		decoded := d.Flush(d.Decode(nil, body))
		if !said.Binary.is(decoded) || said.BinSize != nil && *said.BinSize != int(p.DecodedSize) || sumOf(decoded) != hex.EncodeToString(p.GUID[:]) {
			t.Errorf("%s %d, part %s: decoded %q", box, msg.UID, number, decoded)
		}
	}
	return parts
}
