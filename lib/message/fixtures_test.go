package message

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"gocyrus/lib/recorded"
)

// fixtureDir is where the spools of real Cyrus servers are.
func fixtureDir(t testing.TB) string { return recorded.Path(t, "spool") }

// readTar gives the files of a spool by name; hard links are followed.
func readTar(t testing.TB, name string) map[string][]byte {
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		switch h.Typeflag {
		case tar.TypeReg:
			if files[path.Clean(h.Name)], err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		case tar.TypeLink:
			files[path.Clean(h.Name)] = files[path.Clean(h.Linkname)]
		}
	}
}

// record is what an index record says of a message (docs/format/cyrus.index.md).
type record struct {
	uid, sentDate, size, headerSize, gmTime, internalDate uint32
	offset                                                uint64
	guid                                                  [20]byte
	crc                                                   uint32
}

func readIndex(b []byte) (recs []record) {
	be := binary.BigEndian
	start, size, n := be.Uint32(b[12:]), be.Uint32(b[16:]), be.Uint32(b[20:])
	crcAt := 104
	switch v := be.Uint32(b[8:]); {
	case v == 12:
		crcAt = 88
	case v < 16:
		crcAt = 96
	}
	for i := uint32(0); i < n; i++ {
		r := b[start+i*size:]
		rec := record{uid: be.Uint32(r), internalDate: be.Uint32(r[4:]), sentDate: be.Uint32(r[8:]), size: be.Uint32(r[12:]),
			headerSize: be.Uint32(r[16:]), gmTime: be.Uint32(r[20:]), crc: be.Uint32(r[crcAt:])}
		rec.offset = uint64(be.Uint32(r[24:])) | uint64(be.Uint32(r[56:])>>16)<<32
		copy(rec.guid[:], r[60:])
		recs = append(recs, rec)
	}
	return recs
}

// TestSpools parses every message of the spools that real servers left and
// compares with the cache and index records beside it.
func TestSpools(t *testing.T) {
	for _, name := range []string{"cyrus-3.6.1-default", "cyrus-3.6.1-classic", "cyrus-3.6.1-oldindex", "cyrus-3.10.3-conversations"} {
		t.Run(name, func(t *testing.T) {
			files := readTar(t, filepath.Join(fixtureDir(t), name+".tar.gz"))
			checked := 0
			for f, b := range files {
				if path.Base(f) != "cyrus.index" {
					continue
				}
				for _, rec := range readIndex(b) {
					if checkSpooled(t, files, path.Dir(f), rec) {
						checked++
					}
				}
			}
			t.Logf("%d messages", checked)
			if checked < 90 {
				t.Errorf("only %d messages found", checked)
			}
		})
	}
}

// dirs are the directories in which the files of a mailbox may be: the
// partition, the metapartition, the archive partition.
func dirs(metaDir string) []string {
	parts := strings.SplitN(metaDir, "/", 3)
	if len(parts) < 3 {
		return []string{metaDir}
	}
	var out []string
	for _, p := range []string{parts[1], "spool", "archive", "meta"} {
		out = append(out, parts[0]+"/"+p+"/"+parts[2])
	}
	return out
}

func checkSpooled(t *testing.T, files map[string][]byte, metaDir string, rec record) bool {
	var msg []byte
	var caches [][]byte
	for _, d := range dirs(metaDir) {
		if m := files[d+"/"+strconv.Itoa(int(rec.uid))+"."]; m != nil {
			msg = m
		}
		if c := files[d+"/cyrus.cache"]; c != nil {
			caches = append(caches, c)
		}
	}
	if msg == nil {
		return false
	}
	m, err := Parse(msg, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	where := metaDir + "/" + strconv.Itoa(int(rec.uid))
	if m.CacheCRC != rec.crc {
		t.Errorf("%s: cache record differs", where)
		for _, c := range caches {
			if int(rec.offset) < len(c) {
				diffItems(t, c[rec.offset:], m.Cache)
			}
		}
	}
	if m.GUID != rec.guid || m.Size != rec.size || m.HeaderSize != rec.headerSize {
		t.Errorf("%s: guid %x size %d header %d, want %x %d %d", where, m.GUID, m.Size, m.HeaderSize, rec.guid, rec.size, rec.headerSize)
	}
	if m.SentDate != rec.sentDate && m.SentDate != 0 || m.GMTime != rec.gmTime && m.GMTime != 0 {
		t.Errorf("%s: dates %d %d, want %d %d (%s)", where, m.SentDate, m.GMTime, rec.sentDate, rec.gmTime, m.Date)
	}
	return true
}

func diffItems(t *testing.T, want, got []byte) {
	for i := 0; i < numItems; i++ {
		w, wn := cutItem(want)
		g, gn := cutItem(got)
		if !bytes.Equal(w, g) {
			t.Errorf("item %d:\n got %q\nwant %q", i, g, w)
		}
		want, got = want[wn:], got[gn:]
	}
}

func cutItem(b []byte) (item []byte, n int) {
	if len(b) < 4 {
		return nil, len(b)
	}
	k := int(binary.BigEndian.Uint32(b))
	if k > len(b)-4 {
		return nil, len(b)
	}
	return b[4 : 4+k], min(4+(k+3)&^3, len(b))
}
