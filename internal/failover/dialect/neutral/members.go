package neutral

import "github.com/understudy-dev/understudy/internal/failover"

// EachMember calls f for the members of an object other than null, until f
// returns false. Of a name that is given several times the last value counts,
// as it does with the servers. The error says that b is not an object.
func EachMember(b []byte, f func(name string, v failover.RawJSON) bool) error {
	type member struct {
		name  string
		value failover.RawJSON
	}
	var members []member
	places := map[string]int{}
	err := failover.EachMember(b, func(name []byte, v failover.RawJSON) bool {
		place, again := places[string(name)]
		if !again {
			place = len(members)
			places[string(name)] = place
			members = append(members, member{name: string(name)})
		}
		members[place].value = v
		return true
	})
	if err != nil {
		return err
	}
	for _, m := range members {
		if m.value.Present() && !f(m.name, m.value) {
			return nil
		}
	}
	return nil
}
