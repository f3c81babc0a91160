// Package quotalegacy is Cyrus's quota store: a directory tree that poses as a
// database. The key is a quota root, an internal mailbox name; its value is a
// file of its own:
//
//	CONF/quota/H/ROOT                  H is the hash of ROOT's second component
//	CONF/domain/D/DOMAIN/quota/H/ROOT  of DOMAIN!ROOT; D is the domain's hash
//	CONF/domain/D/DOMAIN/quota/root    of DOMAIN!
//
// A file is replaced as a whole, under an exclusive lock on the one before, or,
// when the new value is as long as the old one and fits into a sector of a disk,
// overwritten by one write: no crash can leave half of it. An Update of one root
// is atomic; of several, a crash may leave the first ones done: roots do not
// depend on each other.
package quotalegacy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"gocyrus/lib/cyrusdb/kv"
	"gocyrus/lib/lock"
	"gocyrus/lib/mappedfile"
)

// maxSize bounds a root's file, in octets; real ones have some hundred.
const maxSize = 64 << 10

// DB is the quota store of a configuration directory.
type DB struct {
	conf     string
	fullHash bool
	flags    kv.Flags

	mu     sync.Mutex // one update at a time
	closed bool
}

// New is the store of the configuration directory conf. fullHash is the option
// fulldirhash.
func New(conf string, fullHash bool, flags kv.Flags) *DB {
	return &DB{conf: conf, fullHash: fullHash, flags: flags}
}

// Open is the store that belongs to the file name path, which Cyrus gives it
// (quotas.db in the configuration directory) and which does not exist. The kind
// of hashing is what the directories there show.
func Open(path string, flags kv.Flags) (*DB, error) {
	conf := filepath.Dir(path)
	entries, err := os.ReadDir(filepath.Join(conf, "quota"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err != nil && flags&kv.Create == 0 {
		return nil, fmt.Errorf("open %s: %w", path, kv.ErrNotFound)
	}
	full := slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		return len(e.Name()) == 1 && e.Name() >= "A" && e.Name() <= "W"
	})
	return New(conf, full, flags), nil
}

// hash is dir_hash_c of Cyrus's lib/util.c.
func (db *DB) hash(s string) string {
	if !db.fullHash {
		if s != "" && s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z' {
			return string(s[0] | 0x20)
		}
		return "q"
	}
	var n uint32
	for i := 0; i < len(s) && s[i] != '.'; i++ {
		n = n<<3 ^ n>>5 ^ uint32(s[i])
	}
	return string(rune('A' + n%23))
}

// path is the file of a root. A name that would lead elsewhere is refused.
func (db *DB) path(key []byte) (string, error) {
	root, dir := string(key), db.conf
	if strings.ContainsAny(root, "/\x00") || root == "" || len(root) > 512 {
		return "", fmt.Errorf("quota root %q: %w", root, kv.ErrTooLarge)
	}
	dom, rest, ok := strings.Cut(root, "!")
	if ok {
		if dom == "" || dom[0] == '.' {
			return "", fmt.Errorf("quota root %q: %w", root, kv.ErrTooLarge)
		}
		dir, root = filepath.Join(dir, "domain", db.hash(dom), dom), rest
	}
	if root == "" {
		return filepath.Join(dir, "quota", "root"), nil
	}
	if root[0] == '.' || strings.HasSuffix(root, ".NEW") {
		return "", fmt.Errorf("quota root %q: %w", root, kv.ErrTooLarge)
	}
	hashed := root
	if _, after, ok := strings.Cut(root, "."); ok {
		hashed = after
	}
	return filepath.Join(dir, "quota", db.hash(hashed), root), nil
}

// sector is what a disk writes whole or not at all, in octets.
const sector = 512

// Get returns the value of a root, in one line: of the old form, which has two,
// with a space between.
func (db *DB) Get(key []byte) ([]byte, error) {
	path, err := db.path(key)
	if err != nil {
		return nil, kv.ErrNotFound
	}
	f, err := mappedfile.OpenFile(path, os.O_RDONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, kv.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return read(f, false)
}

// read reads a file. Without its lock, somebody may be writing over it: what is
// read twice alike is what was there.
func read(f *os.File, locked bool) ([]byte, error) {
	b, err := contents(f)
	for !locked && err == nil && len(b) <= sector {
		again, e := contents(f)
		if bytes.Equal(b, again) {
			break
		}
		b, err = again, e
	}
	switch {
	case err != nil:
		return nil, err
	case len(b) == 0:
		return nil, kv.ErrNotFound // being made
	case len(b) > maxSize || b[len(b)-1] != '\n':
		return nil, fmt.Errorf("%s: %w", f.Name(), kv.ErrCorrupt)
	}
	b = b[:len(b)-1]
	if len(b) > 0 && b[0] != '%' {
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			b[i] = ' '
		}
	}
	return b, nil
}

// contents is a file from its start, of one that is too long a little more than
// may be.
func contents(f *os.File) ([]byte, error) {
	b := make([]byte, sector+1)
	n, err := unix.Pread(int(f.Fd()), b, 0)
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: f.Name(), Err: err}
	}
	if n < len(b) {
		return b[:n], nil
	}
	return io.ReadAll(io.NewSectionReader(f, 0, maxSize+1))
}

// Scan goes over the roots in the order of their names.
func (db *DB) Scan(prefix []byte, fn func(k, v []byte) error) error {
	return db.scan(func(k string) bool { return strings.HasPrefix(k, string(prefix)) }, fn)
}

// ScanFrom goes over the roots from start on.
func (db *DB) ScanFrom(start []byte, fn func(k, v []byte) error) error {
	return db.scan(func(k string) bool { return k >= string(start) }, fn)
}

func (db *DB) scan(want func(string) bool, fn func(k, v []byte) error) error {
	roots, err := db.roots(want)
	if err != nil {
		return err
	}
	for _, root := range roots {
		v, err := db.Get([]byte(root))
		if errors.Is(err, kv.ErrNotFound) {
			continue // gone meanwhile
		}
		if err == nil {
			err = fn([]byte(root), v)
		}
		if err != nil {
			return kv.Scanning(err)
		}
	}
	return nil
}

func (db *DB) roots(want func(string) bool) ([]string, error) {
	roots, err := db.rootsIn(db.conf, "", want)
	if err != nil {
		return nil, err
	}
	domains, err := filepath.Glob(filepath.Join(escapeGlob(db.conf), "domain", "?", "*"))
	if err != nil {
		return nil, err
	}
	for _, dir := range domains {
		more, err := db.rootsIn(dir, filepath.Base(dir)+"!", want)
		if err != nil {
			return nil, err
		}
		roots = append(roots, more...)
	}
	slices.Sort(roots)
	return roots, nil
}

// escapeGlob has filepath.Glob take a path as it is.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

func (db *DB) rootsIn(dir, domain string, want func(string) bool) (roots []string, err error) {
	hashes, err := os.ReadDir(filepath.Join(dir, "quota"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, h := range hashes {
		if !h.IsDir() {
			if domain != "" && h.Name() == "root" && want(domain) {
				roots = append(roots, domain)
			}
			continue
		}
		files, err := os.ReadDir(filepath.Join(dir, "quota", h.Name()))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			if name := domain + f.Name(); f.Name()[0] != '.' && !strings.HasSuffix(name, ".NEW") && want(name) {
				roots = append(roots, name)
			}
		}
	}
	return roots, nil
}

// Close refuses further use.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.closed = true
	return nil
}

// Update holds the locks of the roots that fn has looked at.
func (db *DB) Update(fn func(kv.Tx) error) (err error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return kv.ErrClosed
	}
	if db.flags&kv.ReadOnly != 0 {
		return fmt.Errorf("%s/quota: %w", db.conf, kv.ErrReadOnly)
	}
	t := &tx{db: db, held: map[string]*held{}}
	defer func() { err = errors.Join(err, t.release()) }()
	if err := fn(t); err != nil {
		return err
	}
	return t.apply()
}

// held is a root whose file is locked.
type held struct {
	file    *os.File
	old     []byte // nil: does not exist
	now     []byte // nil: shall not exist
	changed bool
}

type tx struct {
	db    *DB
	held  map[string]*held
	order []string
	lazy  bool
}

// Lazy says that the update need not survive a crash of the machine. It is
// atomic all the same.
func (t *tx) Lazy() { t.lazy = true }

// hold locks a root's file, which is made when it is not there: who else makes
// it must wait.
func (t *tx) hold(key []byte) (*held, error) {
	if h := t.held[string(key)]; h != nil {
		return h, nil
	}
	path, err := t.db.path(key)
	if err != nil {
		return nil, err
	}
	f, err := mappedfile.OpenLocked(context.Background(), path, os.O_RDWR|os.O_CREATE, lock.Exclusive)
	if err != nil {
		return nil, err
	}
	h := &held{file: f}
	t.held[string(key)] = h
	t.order = append(t.order, string(key))
	h.old, err = read(f, true)
	if err != nil && !errors.Is(err, kv.ErrNotFound) {
		return nil, err
	}
	h.now = h.old
	return h, nil
}

func (t *tx) Get(key []byte) ([]byte, error) {
	h, err := t.hold(key)
	if err != nil {
		return nil, err
	}
	if h.now == nil {
		return nil, kv.ErrNotFound
	}
	return bytes.Clone(h.now), nil
}

func (t *tx) Scan(prefix []byte, fn func(k, v []byte) error) error {
	roots, err := t.db.roots(func(k string) bool { return strings.HasPrefix(k, string(prefix)) })
	if err != nil {
		return err
	}
	for _, root := range roots {
		v, err := t.Get([]byte(root))
		if errors.Is(err, kv.ErrNotFound) {
			continue
		}
		if err == nil {
			err = fn([]byte(root), v)
		}
		if err != nil {
			return kv.Scanning(err)
		}
	}
	return nil
}

func (t *tx) Put(k, v []byte) error {
	if len(v) >= maxSize {
		return kv.ErrTooLarge
	}
	return t.change(k, append([]byte{}, v...))
}

func (t *tx) Delete(k []byte) error { return t.change(k, nil) }

func (t *tx) change(k, v []byte) error {
	h, err := t.hold(k)
	if err != nil {
		return err
	}
	h.now = v
	h.changed = !bytes.Equal(h.old, v) || (h.old == nil) != (v == nil)
	return nil
}

func (t *tx) apply() error {
	for _, key := range t.order {
		h := t.held[key]
		if !h.changed {
			continue
		}
		if err := t.write(h); err != nil {
			return err
		}
		h.old = h.now
	}
	return nil
}

func (t *tx) write(h *held) error {
	path := h.file.Name()
	if h.now == nil {
		return errors.Join(os.Remove(path), mappedfile.SyncDir(filepath.Dir(path)))
	}
	b := form(h.now)
	if h.old != nil && len(h.old) == len(h.now) && len(b) <= sector {
		_, err := h.file.WriteAt(b, 0)
		if err != nil || t.lazy {
			return err
		}
		return h.file.Sync()
	}
	return mappedfile.Replace(path, 0o644, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// form is a value as a file has it.
func form(v []byte) []byte {
	if len(v) > 0 && v[0] != '%' {
		// The old form has two lines.
		v = bytes.Replace(v, []byte{' '}, []byte{'\n'}, 1)
	}
	return append(bytes.Clone(v), '\n')
}

// release drops the locks, and the empty files that were made to be locked.
func (t *tx) release() (err error) {
	for _, h := range t.held {
		if h.old == nil && (h.now == nil || h.changed) {
			if st, e := os.Stat(h.file.Name()); e == nil && st.Size() == 0 {
				err = errors.Join(err, os.Remove(h.file.Name()))
			}
		}
		err = errors.Join(err, h.file.Close())
	}
	return err
}
