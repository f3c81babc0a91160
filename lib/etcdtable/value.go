package etcdtable

import (
	"errors"
	"fmt"
	"strings"

	"gocyrus/lib/mboxname"
	"gocyrus/lib/mupdate"
)

// errValue is the error of a value that none of us has written.
var errValue = errors.New("bad value in etcd")

// The words that values begin with, and the blank.
var (
	active   = mupdate.Active.String() + " "
	reserved = mupdate.Reserved.String() + " "
)

// value is what etcd holds of an entry that is there.
func value(e *mupdate.Entry) string {
	if e.State == mupdate.Reserved {
		return reserved + e.Location
	}
	return active + e.Location + "\t" + e.ACL
}

// named is the name that has the key. Another key that reads as the same name is
// none of ours.
func named(key string) (mboxname.Name, error) {
	name, err := mboxname.FromDB(key)
	if err == nil && name.DB() != key {
		err = errors.New("not as we write it")
	}
	if err != nil {
		return "", fmt.Errorf("%w: key %q: %w", errValue, key, err)
	}
	return name, nil
}

// entry reads what etcd holds. The key is that without the prefix.
func entry(key, value string) (mupdate.Entry, error) {
	name, err := named(key)
	if err != nil {
		return mupdate.Entry{}, err
	}
	e := mupdate.Entry{Name: name}
	if rest, ok := strings.CutPrefix(value, reserved); ok {
		e.State, e.Location = mupdate.Reserved, rest
	} else if rest, ok := strings.CutPrefix(value, active); ok {
		e.State = mupdate.Active
		if e.Location, e.ACL, ok = strings.Cut(rest, "\t"); !ok {
			return e, fmt.Errorf("%w: %s: %q", errValue, name, value)
		}
	}
	if e.State == mupdate.Absent || !mupdate.ValidName(name) || !mupdate.ValidLocation(e.Location) {
		return e, fmt.Errorf("%w: %s: %q", errValue, name, value)
	}
	return e, nil
}
