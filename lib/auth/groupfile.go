package auth

import (
	"bufio"
	"os"
	"slices"
	"strings"
)

// membersIn returns the groups of a group(5) file that list user.
func membersIn(path, user string) []string {
	var groups []string
	scanGroups(path, func(name string, members []string) bool {
		if slices.Contains(members, user) {
			groups = append(groups, name)
		}
		return true
	})
	return groups
}

func definedIn(path, group string) (found bool) {
	scanGroups(path, func(name string, _ []string) bool {
		found = name == group
		return !found
	})
	return found
}

// scanGroups calls fn for each group of a file, name:password:gid:members,
// until fn returns false. A file that cannot be read has none.
func scanGroups(path string, fn func(name string, members []string) bool) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		fields := strings.Split(sc.Text(), ":")
		if len(fields) != 4 || fields[0] == "" || fields[0][0] == '#' {
			continue
		}
		if !fn(fields[0], strings.Split(fields[3], ",")) {
			return
		}
	}
}
