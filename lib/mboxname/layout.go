package mboxname

import (
	"path/filepath"
	"strings"
)

// Layout turns names into paths (on-disk layout of Cyrus 3.x). Roots are given
// by the caller: a partition, a metadata partition, the configuration directory.
type Layout struct {
	ConfigDir string // configdirectory
	LockDir   string // root of lock files
	SieveDir  string // root of compiled Sieve scripts
	HashSpool bool   // hashimapspool: an H/ directory in legacy paths and lock paths
	FullHash  bool   // fulldirhash: H is computed over the whole name
}

// hash is the hash directory of s: a letter. Full hashing stops at the first
// dot; simple hashing takes the first octet when it is a letter (dir_hash_c).
func (l *Layout) hash(s string) byte {
	if !l.FullHash {
		if s == "" {
			return 'q'
		}
		c := s[0] | 0x20
		if c < 'a' || c > 'z' {
			return 'q'
		}
		return c
	}
	var n uint32
	for i := 0; i < len(s) && s[i] != '.'; i++ {
		n = ((n << 3) ^ (n >> 5)) ^ uint32(s[i])
	}
	return 'A' + byte(n%23)
}

// Hashes are all letters that hash can give.
func (l *Layout) Hashes() string {
	if l.FullHash {
		return "ABCDEFGHIJKLMNOPQRSTUVW"
	}
	return "abcdefghijklmnopqrstuvwxyz"
}

// MailboxDir is the directory of a mailbox below the root of its partition:
// named by its unique id, or by its name when the mailbox is of the legacy
// layout (letter l of its type).
func (l *Layout) MailboxDir(root string, n Name, uniqueID string, legacy bool) string {
	if legacy || len(uniqueID) < 2 {
		return filepath.Join(root, l.namePath(string(n)))
	}
	return filepath.Join(root, "uuid", uniqueID[:1], uniqueID[1:2], uniqueID)
}

// namePath is the relative directory of a legacy mailbox: optional domain, the
// hash of the second component (of the first when it is alone), the components.
func (l *Layout) namePath(n string) string {
	dom, rest := Name(n).split()
	var b strings.Builder
	b.WriteString(l.domainPath(dom, l.HashSpool))
	if l.HashSpool {
		first, more, ok := strings.Cut(rest, ".")
		if ok {
			first, _, _ = strings.Cut(more, ".")
		}
		// The hash is taken before dots were escaped, and stops at a dot.
		b.WriteByte(l.hash(strings.ReplaceAll(first, "^", ".")))
		b.WriteByte('/')
	}
	b.WriteString(strings.ReplaceAll(rest, ".", "/"))
	return b.String()
}

func (l *Layout) domainPath(dom string, hashed bool) string {
	switch {
	case dom == "":
		return ""
	case hashed:
		return "domain/" + string(l.hash(dom)) + "/" + dom + "/"
	default:
		return "domain/" + dom + "/"
	}
}

// UserFile is the path of a per-user file such as "sub" or "seen". inboxID is
// the unique id of the user's INBOX; it is empty when the INBOX has the legacy
// layout or there is none, and the file is then found by name.
func (l *Layout) UserFile(userid, suffix, inboxID string) string {
	if len(inboxID) >= 2 {
		return filepath.Join(l.ConfigDir, "user", "uuid", inboxID[:1], inboxID[1:2], inboxID, suffix+".db")
	}
	local, dom := userid, ""
	if i := strings.LastIndexByte(userid, '@'); i >= 0 {
		local, dom = userid[:i], userid[i+1:]
	}
	// A userid must not walk out of the directory.
	local = strings.ReplaceAll(local, "/", "^")
	return filepath.Join(l.ConfigDir, l.domainPath(dom, true), "user", string(l.hash(local)), local+"."+suffix)
}

// SieveUserDir is the directory of a user's compiled scripts.
func (l *Layout) SieveUserDir(userid, inboxID string) string {
	if len(inboxID) >= 2 {
		return filepath.Join(l.SieveDir, "uuid", inboxID[:1], inboxID[1:2], inboxID)
	}
	local, dom := userid, ""
	if i := strings.LastIndexByte(userid, '@'); i >= 0 {
		local, dom = userid[:i], userid[i+1:]
	}
	local = strings.ReplaceAll(local, "/", "^")
	return filepath.Join(l.SieveDir, l.domainPath(dom, true), string(l.hash(local)), local)
}

// QuotaFile is the file of a quota root in a quotalegacy database. The hash
// covers what follows the first dot, as the root is stored.
func (l *Layout) QuotaFile(root Name) string {
	dom, rest := root.split()
	dir := filepath.Join(l.ConfigDir, l.domainPath(dom, true), "quota")
	if rest == "" {
		return filepath.Join(dir, "root") // of a whole domain
	}
	key := rest
	if _, after, ok := strings.Cut(rest, "."); ok {
		key = after
	}
	return filepath.Join(dir, string(l.hash(key)), rest)
}

// LockFile is the lock file of a name: an internal mailbox name, a unique id,
// or one of the made-up names below.
func (l *Layout) LockFile(name string) string {
	return filepath.Join(l.LockDir, l.namePath(name)+".lock")
}

// UserLock is the name whose lock file guards all that belongs to a user;
// without a user, all shared mailboxes.
func UserLock(userid string) string {
	return "*U*" + strings.ReplaceAll(userid, ".", "^")
}
