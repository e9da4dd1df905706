"""Native peers: several laptops that hold the same production, on a network that comes and goes.

Read in this order; each module says the rest.

==============  =======================================================================================
``messages``    what nodes say to each other; ``wire``: how that becomes a bounded CBOR frame
``session``     one connection, from the greeting to live edits; ``outputs``: what it asks of its host
``auth``        who is at the other end · ``clocks``: how far its clock is off
``catchup``     what each side lacks, in which order it comes, and logs with two histories
``plans``       what people decide on before anything moves; ``deciding``: until both have said yes
``flow``        what is under way on one connection: window, acknowledgement, sending again
``stretches``   when going on needs nobody's approval
``election``    who leads
``peer``        all of that for one node with many connections: **what a host talks to**
``bootstrap``   a whole copy for a newcomer: its list, and which chunks to ask for
``replica``     the only part that touches the engine; called on the workspace's thread
``happened``    what people can read of it
``pairing``     links and one-time secrets; ``spoken``: codes that are said aloud
==============  =======================================================================================

None but ``replica`` does any I/O, reads a clock or makes a random number.

The world outside: ``transport`` (sockets, TLS), ``speaking`` (spoken codes over them), ``discovery`` (mDNS), ``nearby``
(the last two for a node that hosts), ``hosting`` and ``service`` (a ``Peer`` at work), ``copying`` and
``blob_exchange`` (what travels beside the stream), ``checking`` (many signatures, in a process of its own).

**How to host it** (sockets, TLS, discovery, pairing). Make one ``Peer``. For each connection take a number; call
``opened``, then ``received`` for every frame and ``closed`` at its end; call ``tick`` once a second. After every call
do what it returns, in order:

* ``Transmit``: send the frame. ``Disconnect``: close once that has gone out. ``Connect``: call that device, if its
  address is known; ``opened(caller=True, expected=device)`` when the socket stands; not reaching it needs no answer.
* ``Do(Proven)``: ``held(replica.Held(committer).tips(), membership heads)``, with ``approved=True`` where a person has
  just asked for this (who typed ``join``; who confirmed the name; a hub); ``send_records`` for what the other lacks.
* ``Do(Compare)``: ``catchup.survey(Held, tips, points)``; when ``must_leave``, ``committer.leave_log()`` at once,
  before the person at this device writes again; then ``compared(survey, offer)``, the offer from ``replica.offer``.
* ``Do(Ask)``: show the plan; ``approve(plan.id)`` or ``decline``. A plan may be asked about again with other numbers.
* ``Do(Fetch)``: ``supplied(*replica.outgoing(...))``. ``Do(TakeIn)``: ``replica.take_in`` with this connection's own
  ``Intake``; then ``took``; for Untrusted ``refused``; for StorageError ``took`` with nothing: it comes again.
* After each commit of this node's own: ``committed({log: tip})``.

``Now.mono`` must count the time that the machine slept. A declined device is called again only when a person wants it,
or after some minutes; the same for any that ended with *not_admitted*, *versions*, *other_workspace* or *self*.
"""
