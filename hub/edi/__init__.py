"""Trading partners: who they are, what was received under which number, what goes out under which, acknowledgements.

How it meets the exchange (ports there, wired by the runtime):

- :class:`hub.edi.intake.EdiIntake` cuts a file into records, one a transaction set, and decides with each receipt what
  its envelope asks for: a repeated interchange, a control number used again, a 997 for every group.
- :class:`hub.edi.outgoing.EdiDocuments` turns what an out-mapping made into the bytes of a file, with control numbers
  taken in the write set of the delivery. The frozen payload of such a delivery is
  ``{"name": file name, "text": all of it, "charset": ascii | latin-1 | utf-8}``; a connector writes it, no more.
"""
