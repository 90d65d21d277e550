package failover

// unreached is a visit that ended before anything of its provider was met: the
// name could not be looked up, or the machine knew no way there. Whose fault
// that is only the next host tells, so its permit waits.
type unreached struct {
	entry   *entry
	permit  Permit
	verdict Verdict
}

// reserve takes over the permit of a visit that reached nobody. A visit that
// reached somebody, whatever came of it, shows that our own way out works.
func (w *walk) reserve(e *entry, p Permit, v Verdict) bool {
	if v.Strike && (v.Class == DNSError || v.Class == EgressDown) {
		w.unreached = append(w.unreached, unreached{e, p, v})
		return true
	}
	if v.Action != Drop {
		w.settle(false)
	}
	return false
}

// blameUnreached ends the permits that wait. Where several hosts could not be
// reached and none was, it is our own network or its name service, and no
// provider's circuit learns anything from it.
func (w *walk) blameUnreached() {
	ours := false
	for _, u := range w.unreached {
		ours = ours || u.entry.endpoint.Host() != w.unreached[0].entry.endpoint.Host()
	}
	w.settle(ours)
}

func (w *walk) settle(ours bool) {
	for _, u := range w.unreached {
		if ours {
			u.verdict = Verdict{Fault: "F49", Class: EgressDown, Blame: Self, Detail: string(EgressDown)}
			w.reasons[u.entry.index] = EgressDown
		}
		u.permit.Done(u.verdict)
	}
	w.unreached = nil
}
