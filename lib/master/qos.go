package master

import "strconv"

// tos is the type-of-service octet for a value of qosmarking: "cs3", "af21",
// "ef" (RFC 2474, RFC 2597, RFC 3246).
func tos(mark string) int {
	if mark == "ef" {
		return 46 << 2
	}
	if len(mark) < 3 {
		return 0
	}
	n, err := strconv.Atoi(mark[2:])
	if err != nil {
		return 0
	}
	switch mark[:2] {
	case "cs":
		return n << 5
	case "af":
		return (n/10)<<5 | (n%10)<<3
	}
	return 0
}
