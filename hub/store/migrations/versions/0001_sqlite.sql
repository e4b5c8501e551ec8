CREATE TABLE api_answers (
    id TEXT NOT NULL,
    operation TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    answer TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_api_answers PRIMARY KEY (id)
);

CREATE INDEX ix_api_answers_created ON api_answers (created_at);

CREATE TABLE api_keys (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    expires_at BIGINT,
    used_at BIGINT,
    revoked_at BIGINT,
    revoked_by TEXT,
    CONSTRAINT pk_api_keys PRIMARY KEY (id),
    CONSTRAINT uq_api_keys_prefix UNIQUE (prefix)
);

CREATE TABLE attempts (
    id TEXT NOT NULL,
    delivery_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    token TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    deadline BIGINT NOT NULL,
    finished_at BIGINT,
    resolution TEXT,
    status INTEGER,
    words TEXT,
    body_id TEXT,
    duration_ms INTEGER,
    stale BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT pk_attempts PRIMARY KEY (id)
);

CREATE INDEX ix_attempts_delivery ON attempts (delivery_id);

CREATE TABLE audit (
    id TEXT NOT NULL,
    at BIGINT NOT NULL,
    who TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason TEXT NOT NULL,
    data TEXT NOT NULL,
    CONSTRAINT pk_audit PRIMARY KEY (id)
);

CREATE INDEX ix_audit_subject ON audit (subject);

CREATE TABLE backorder_releases (
    id TEXT NOT NULL,
    sku TEXT NOT NULL,
    order_id TEXT NOT NULL,
    line_id TEXT NOT NULL,
    place TEXT NOT NULL,
    outcome TEXT NOT NULL,
    quantity BIGINT NOT NULL,
    free BIGINT NOT NULL,
    ahead BIGINT NOT NULL,
    reason TEXT NOT NULL,
    cause TEXT NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT pk_backorder_releases PRIMARY KEY (id)
);

CREATE INDEX ix_backorder_releases_line ON backorder_releases (line_id, at);

CREATE INDEX ix_backorder_releases_sku ON backorder_releases (sku, at);

CREATE TABLE bodies (
    id TEXT NOT NULL,
    owner_kind TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    order_id TEXT,
    content_type TEXT DEFAULT '' NOT NULL,
    headers TEXT,
    body BLOB,
    file TEXT,
    size_bytes INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    erased_at BIGINT,
    CONSTRAINT pk_bodies PRIMARY KEY (id)
);

CREATE INDEX ix_bodies_file ON bodies (file) WHERE file IS NOT NULL;

CREATE INDEX ix_bodies_kept ON bodies (owner_kind, created_at) WHERE erased_at IS NULL;

CREATE INDEX ix_bodies_order ON bodies (order_id) WHERE order_id IS NOT NULL;

CREATE TABLE captures (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    amount BIGINT NOT NULL,
    state TEXT NOT NULL,
    "key" TEXT NOT NULL,
    external_id TEXT,
    document TEXT NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT pk_captures PRIMARY KEY (id),
    CONSTRAINT ck_captures_amount_positive CHECK (amount > 0)
);

CREATE INDEX ix_captures_external ON captures (external_id);

CREATE INDEX ix_captures_order ON captures (order_id);

CREATE INDEX ix_captures_payment ON captures (payment_id);

CREATE TABLE changes (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    delta TEXT NOT NULL,
    currency TEXT,
    price_effect BIGINT NOT NULL,
    beside_total BIGINT NOT NULL,
    why TEXT NOT NULL,
    at BIGINT NOT NULL,
    settled_at BIGINT,
    CONSTRAINT pk_changes PRIMARY KEY (id)
);

CREATE INDEX ix_changes_order ON changes (order_id, at);

CREATE TABLE connection_states (
    connection TEXT NOT NULL,
    paused BOOLEAN DEFAULT false NOT NULL,
    paused_reason TEXT,
    breaker TEXT,
    buckets TEXT,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_connection_states PRIMARY KEY (connection)
);

CREATE TABLE contacts (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    role TEXT NOT NULL,
    data TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_contacts PRIMARY KEY (id)
);

CREATE INDEX ix_contacts_order ON contacts (order_id);

CREATE TABLE cross_references (
    id TEXT NOT NULL,
    system TEXT NOT NULL,
    entity TEXT NOT NULL,
    external_id TEXT NOT NULL,
    role TEXT NOT NULL,
    internal_id TEXT NOT NULL,
    valid_from BIGINT NOT NULL,
    valid_to BIGINT,
    CONSTRAINT pk_cross_references PRIMARY KEY (id),
    CONSTRAINT uq_cross_references_external_id_entity_system_role UNIQUE (external_id, entity, system, role)
);

CREATE INDEX ix_cross_references_internal ON cross_references (internal_id, system);

CREATE TABLE cursors (
    id TEXT NOT NULL,
    value TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_cursors PRIMARY KEY (id)
);

CREATE TABLE deliveries (
    id TEXT NOT NULL,
    destination TEXT NOT NULL,
    capability TEXT NOT NULL,
    aggregate TEXT NOT NULL,
    lane TEXT NOT NULL,
    business_key TEXT NOT NULL,
    subject TEXT NOT NULL,
    order_id TEXT,
    state TEXT NOT NULL,
    park_reason TEXT,
    safety TEXT NOT NULL,
    body_id TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    refs TEXT NOT NULL,
    requires TEXT NOT NULL,
    fact TEXT,
    echo_key TEXT,
    due_at BIGINT NOT NULL,
    give_up_at BIGINT NOT NULL,
    reply_due_at BIGINT,
    probe_after BIGINT,
    claims INTEGER DEFAULT '0' NOT NULL,
    attempts INTEGER DEFAULT '0' NOT NULL,
    lease_epoch BIGINT,
    lease_token TEXT,
    lease_until BIGINT,
    external_id TEXT,
    error TEXT,
    cause TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    settled_at BIGINT,
    sequence BIGINT NOT NULL,
    CONSTRAINT pk_deliveries PRIMARY KEY (id),
    CONSTRAINT uq_deliveries_business_key UNIQUE (business_key)
);

CREATE INDEX ix_deliveries_claimed ON deliveries (lease_until) WHERE state IN ('in_flight', 'probing');

CREATE INDEX ix_deliveries_counted ON deliveries (capability, destination, state, created_at);

CREATE INDEX ix_deliveries_due ON deliveries (destination, due_at, sequence) WHERE state IN ('pending', 'retry', 'unknown');

CREATE INDEX ix_deliveries_lane ON deliveries (destination, aggregate, lane, sequence) WHERE settled_at IS NULL;

CREATE INDEX ix_deliveries_order ON deliveries (order_id, state);

CREATE INDEX ix_deliveries_settled ON deliveries (settled_at, state) WHERE settled_at IS NOT NULL;

CREATE INDEX ix_deliveries_state ON deliveries (state, id);

CREATE INDEX ix_deliveries_subject ON deliveries (subject) WHERE state IN ('pending', 'retry');

CREATE TABLE edi_counters (
    partner TEXT NOT NULL,
    interchange BIGINT NOT NULL,
    functional_group BIGINT NOT NULL,
    transaction_set BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_edi_counters PRIMARY KEY (partner)
);

CREATE TABLE edi_documents (
    id TEXT NOT NULL,
    partner TEXT NOT NULL,
    connection TEXT NOT NULL,
    document TEXT NOT NULL,
    interchange BIGINT NOT NULL,
    functional_group BIGINT NOT NULL,
    transaction_set BIGINT NOT NULL,
    delivery_id TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_edi_documents PRIMARY KEY (id)
);

CREATE INDEX ix_edi_documents_delivery ON edi_documents (delivery_id);

CREATE INDEX ix_edi_documents_group ON edi_documents (partner, functional_group);

CREATE TABLE edi_interchanges (
    id TEXT NOT NULL,
    connection TEXT NOT NULL,
    sender TEXT NOT NULL,
    receiver TEXT NOT NULL,
    control TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    receipt_id TEXT NOT NULL,
    sets INTEGER NOT NULL,
    received_at BIGINT NOT NULL,
    CONSTRAINT pk_edi_interchanges PRIMARY KEY (id)
);

CREATE INDEX ix_edi_interchanges_control ON edi_interchanges (connection, sender, receiver, control);

CREATE TABLE events (
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    order_id TEXT,
    at BIGINT NOT NULL,
    sequence TEXT NOT NULL,
    data TEXT NOT NULL,
    CONSTRAINT pk_events PRIMARY KEY (id)
);

CREATE INDEX ix_events_order ON events (order_id, sequence);

CREATE INDEX ix_events_sequence ON events (sequence);

CREATE TABLE exception_subjects (
    exception_id TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    order_id TEXT,
    added_at BIGINT NOT NULL,
    cleared_at BIGINT,
    CONSTRAINT pk_exception_subjects PRIMARY KEY (exception_id, subject_kind, subject_id)
);

CREATE INDEX ix_exception_subjects_order ON exception_subjects (order_id);

CREATE INDEX ix_exception_subjects_subject ON exception_subjects (subject_kind, subject_id);

CREATE TABLE exceptions (
    id TEXT NOT NULL,
    cause_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    connection TEXT,
    title TEXT NOT NULL,
    detail TEXT NOT NULL,
    next_step TEXT NOT NULL,
    hint TEXT NOT NULL,
    owner TEXT NOT NULL,
    state TEXT NOT NULL,
    count INTEGER NOT NULL,
    raised_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    resolved_at BIGINT,
    resolved_by TEXT,
    alerted_at BIGINT,
    CONSTRAINT pk_exceptions PRIMARY KEY (id)
);

CREATE INDEX ix_exceptions_state ON exceptions (state, id);

CREATE UNIQUE INDEX uq_exceptions_open ON exceptions (cause_key) WHERE state = 'open';

CREATE TABLE fact_keys (
    "key" TEXT NOT NULL,
    message_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_fact_keys PRIMARY KEY ("key")
);

CREATE TABLE fulfilment_orders (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    location TEXT NOT NULL,
    connection TEXT NOT NULL,
    method TEXT NOT NULL,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    external_id TEXT,
    document TEXT NOT NULL,
    planned_on TEXT DEFAULT '' NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_fulfilment_orders PRIMARY KEY (id)
);

CREATE INDEX ix_fulfilment_orders_day ON fulfilment_orders (location, planned_on, state);

CREATE INDEX ix_fulfilment_orders_external ON fulfilment_orders (external_id) WHERE external_id IS NOT NULL;

CREATE INDEX ix_fulfilment_orders_open ON fulfilment_orders (location, state);

CREATE INDEX ix_fulfilment_orders_order ON fulfilment_orders (order_id);

CREATE INDEX ix_fulfilment_orders_unfinished ON fulfilment_orders (created_at, id) WHERE state NOT IN ('completed', 'partially_completed', 'rejected', 'cancelled');

CREATE TABLE holds (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    line_id TEXT,
    kind TEXT NOT NULL,
    rule TEXT NOT NULL,
    path TEXT NOT NULL,
    hint TEXT NOT NULL,
    placed_at BIGINT NOT NULL,
    until BIGINT,
    "then" TEXT DEFAULT '' NOT NULL,
    released_at BIGINT,
    released_by TEXT,
    CONSTRAINT pk_holds PRIMARY KEY (id)
);

CREATE INDEX ix_holds_open ON holds (rule) WHERE released_at IS NULL;

CREATE INDEX ix_holds_order ON holds (order_id);

CREATE TABLE items (
    sku TEXT NOT NULL,
    document TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_items PRIMARY KEY (sku)
);

CREATE TABLE jobs (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL,
    who TEXT NOT NULL,
    position INTEGER NOT NULL,
    total INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    refused TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    finished_at BIGINT,
    CONSTRAINT pk_jobs PRIMARY KEY (id),
    CONSTRAINT uq_jobs_kind_fingerprint UNIQUE (kind, fingerprint)
);

CREATE TABLE kit_parts (
    id TEXT NOT NULL,
    kit TEXT NOT NULL,
    sku TEXT NOT NULL,
    CONSTRAINT pk_kit_parts PRIMARY KEY (id)
);

CREATE INDEX ix_kit_parts_kit ON kit_parts (kit);

CREATE INDEX ix_kit_parts_sku ON kit_parts (sku);

CREATE TABLE labels (
    id TEXT NOT NULL,
    package_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    connection TEXT NOT NULL,
    number INTEGER NOT NULL,
    state TEXT NOT NULL,
    external_id TEXT,
    tracking_number TEXT,
    carrier TEXT,
    service TEXT,
    currency TEXT,
    cost BIGINT,
    refunded BIGINT DEFAULT '0' NOT NULL,
    body_id TEXT,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_labels PRIMARY KEY (id)
);

CREATE INDEX ix_labels_order ON labels (order_id);

CREATE INDEX ix_labels_tracking_number ON labels (tracking_number) WHERE tracking_number IS NOT NULL;

CREATE TABLE listings (
    id TEXT NOT NULL,
    connection TEXT NOT NULL,
    theirs TEXT NOT NULL,
    ours TEXT NOT NULL,
    valid_from BIGINT,
    valid_to BIGINT,
    at BIGINT NOT NULL,
    CONSTRAINT pk_listings PRIMARY KEY (id)
);

CREATE INDEX ix_listings_ours ON listings (ours, connection);

CREATE INDEX ix_listings_theirs ON listings (theirs, connection);

CREATE TABLE location_days (
    location TEXT NOT NULL,
    day TEXT NOT NULL,
    version INTEGER NOT NULL,
    CONSTRAINT pk_location_days PRIMARY KEY (location, day)
);

CREATE TABLE messages (
    id TEXT NOT NULL,
    receipt_id TEXT NOT NULL,
    position TEXT NOT NULL,
    connection TEXT NOT NULL,
    stream TEXT NOT NULL,
    kind TEXT NOT NULL,
    entity_key TEXT NOT NULL,
    external_id TEXT,
    scope TEXT DEFAULT '' NOT NULL,
    fact_key TEXT,
    source_version TEXT,
    body_id TEXT,
    state TEXT NOT NULL,
    held BOOLEAN DEFAULT false NOT NULL,
    error_code TEXT,
    error_field TEXT,
    error TEXT,
    subject TEXT,
    waits_for TEXT,
    claims INTEGER DEFAULT '0' NOT NULL,
    lease_epoch BIGINT,
    lease_until BIGINT,
    due_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    applied_at BIGINT,
    revision TEXT,
    redrive_of TEXT DEFAULT '' NOT NULL,
    lease_token TEXT,
    sequence BIGINT NOT NULL,
    CONSTRAINT pk_messages PRIMARY KEY (id),
    CONSTRAINT uq_messages_receipt_id_position_stream_redrive_of UNIQUE (receipt_id, position, stream, redrive_of)
);

CREATE INDEX ix_messages_claimed ON messages (lease_until) WHERE state = 'claimed';

CREATE INDEX ix_messages_connection ON messages (connection, id);

CREATE INDEX ix_messages_entity_open ON messages (entity_key, sequence) WHERE state IN ('stored', 'claimed', 'retry', 'waiting', 'parked');

CREATE INDEX ix_messages_open ON messages (connection, due_at, sequence) WHERE state IN ('stored', 'retry');

CREATE INDEX ix_messages_parked ON messages (entity_key, state) WHERE state = 'parked';

CREATE INDEX ix_messages_state ON messages (state, id);

CREATE INDEX ix_messages_subject ON messages (subject);

CREATE INDEX ix_messages_waits ON messages (waits_for, state) WHERE waits_for IS NOT NULL;

CREATE TABLE money_moves (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    payment_id TEXT,
    kind TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL,
    external_id TEXT,
    document TEXT NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT pk_money_moves PRIMARY KEY (id)
);

CREATE INDEX ix_money_moves_at ON money_moves (at, id);

CREATE INDEX ix_money_moves_order ON money_moves (order_id);

CREATE INDEX ix_money_moves_payment ON money_moves (payment_id);

CREATE TABLE order_lines (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    external_line_id TEXT NOT NULL,
    sku TEXT,
    ordered BIGINT NOT NULL,
    open BIGINT DEFAULT '0' NOT NULL,
    allocated BIGINT DEFAULT '0' NOT NULL,
    backordered BIGINT DEFAULT '0' NOT NULL,
    preordered BIGINT DEFAULT '0' NOT NULL,
    released BIGINT DEFAULT '0' NOT NULL,
    accepted BIGINT DEFAULT '0' NOT NULL,
    picked BIGINT DEFAULT '0' NOT NULL,
    packed BIGINT DEFAULT '0' NOT NULL,
    shipped BIGINT DEFAULT '0' NOT NULL,
    ready_for_pickup BIGINT DEFAULT '0' NOT NULL,
    handed_over BIGINT DEFAULT '0' NOT NULL,
    delivered BIGINT DEFAULT '0' NOT NULL,
    lost BIGINT DEFAULT '0' NOT NULL,
    returned_to_sender BIGINT DEFAULT '0' NOT NULL,
    cancelled BIGINT DEFAULT '0' NOT NULL,
    over_shipped BIGINT DEFAULT '0' NOT NULL,
    fulfilled_by TEXT NOT NULL,
    document TEXT NOT NULL,
    ship_by BIGINT,
    cancel_by BIGINT,
    due_by BIGINT,
    late_penalty BIGINT,
    CONSTRAINT pk_order_lines PRIMARY KEY (id),
    CONSTRAINT ck_order_lines_buckets_sum CHECK (open + allocated + backordered + preordered + released + accepted + picked + packed + shipped + ready_for_pickup + handed_over + delivered + lost + returned_to_sender + cancelled = ordered),
    CONSTRAINT ck_order_lines_open_not_negative CHECK (open >= 0),
    CONSTRAINT ck_order_lines_allocated_not_negative CHECK (allocated >= 0),
    CONSTRAINT ck_order_lines_backordered_not_negative CHECK (backordered >= 0),
    CONSTRAINT ck_order_lines_preordered_not_negative CHECK (preordered >= 0),
    CONSTRAINT ck_order_lines_released_not_negative CHECK (released >= 0),
    CONSTRAINT ck_order_lines_accepted_not_negative CHECK (accepted >= 0),
    CONSTRAINT ck_order_lines_picked_not_negative CHECK (picked >= 0),
    CONSTRAINT ck_order_lines_packed_not_negative CHECK (packed >= 0),
    CONSTRAINT ck_order_lines_shipped_not_negative CHECK (shipped >= 0),
    CONSTRAINT ck_order_lines_ready_for_pickup_not_negative CHECK (ready_for_pickup >= 0),
    CONSTRAINT ck_order_lines_handed_over_not_negative CHECK (handed_over >= 0),
    CONSTRAINT ck_order_lines_delivered_not_negative CHECK (delivered >= 0),
    CONSTRAINT ck_order_lines_lost_not_negative CHECK (lost >= 0),
    CONSTRAINT ck_order_lines_returned_to_sender_not_negative CHECK (returned_to_sender >= 0),
    CONSTRAINT ck_order_lines_cancelled_not_negative CHECK (cancelled >= 0),
    CONSTRAINT uq_order_lines_order_id_external_line_id UNIQUE (order_id, external_line_id)
);

CREATE INDEX ix_order_lines_due ON order_lines (due_by) WHERE due_by IS NOT NULL;

CREATE INDEX ix_order_lines_sku ON order_lines (sku, order_id);

CREATE TABLE order_links (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    other_order_id TEXT NOT NULL,
    role TEXT NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT pk_order_links PRIMARY KEY (id)
);

CREATE INDEX ix_order_links_order ON order_links (order_id);

CREATE INDEX ix_order_links_other ON order_links (other_order_id);

CREATE TABLE orders (
    id TEXT NOT NULL,
    channel TEXT NOT NULL,
    scope TEXT DEFAULT '' NOT NULL,
    external_id TEXT NOT NULL,
    number TEXT,
    seller_entity TEXT NOT NULL,
    order_type TEXT NOT NULL,
    currency TEXT,
    placed_at BIGINT,
    status TEXT NOT NULL,
    effects TEXT NOT NULL,
    source_version TEXT,
    total BIGINT,
    grace_until BIGINT,
    confirmed_at BIGINT,
    duplicate_key TEXT,
    document TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_orders PRIMARY KEY (id),
    CONSTRAINT uq_orders_external_id_channel_scope UNIQUE (external_id, channel, scope)
);

CREATE INDEX ix_orders_channel ON orders (channel, created_at, id);

CREATE INDEX ix_orders_created ON orders (created_at, id);

CREATE INDEX ix_orders_duplicate ON orders (duplicate_key) WHERE duplicate_key IS NOT NULL;

CREATE INDEX ix_orders_number ON orders (number);

CREATE INDEX ix_orders_status ON orders (status, created_at, id);

CREATE TABLE packages (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    fulfilment_order_id TEXT NOT NULL,
    shipment_id TEXT,
    location TEXT NOT NULL,
    external_id TEXT NOT NULL,
    carrier TEXT,
    service TEXT,
    tracking_number TEXT,
    state TEXT NOT NULL,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_packages PRIMARY KEY (id)
);

CREATE INDEX ix_packages_order ON packages (order_id);

CREATE INDEX ix_packages_tracking_number ON packages (tracking_number) WHERE tracking_number IS NOT NULL;

CREATE TABLE payments (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    connection TEXT NOT NULL,
    managed_by TEXT NOT NULL,
    method TEXT NOT NULL,
    priority INTEGER NOT NULL,
    currency TEXT NOT NULL,
    state TEXT NOT NULL,
    authorised BIGINT DEFAULT '0' NOT NULL,
    captured BIGINT DEFAULT '0' NOT NULL,
    capturing BIGINT DEFAULT '0' NOT NULL,
    voided BIGINT DEFAULT '0' NOT NULL,
    refunded BIGINT DEFAULT '0' NOT NULL,
    refunding BIGINT DEFAULT '0' NOT NULL,
    over_refunded BIGINT DEFAULT '0' NOT NULL,
    store_credit BIGINT DEFAULT '0' NOT NULL,
    expires_at BIGINT,
    external_id TEXT,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_payments PRIMARY KEY (id),
    CONSTRAINT ck_payments_never_over_captured CHECK (captured + capturing + voided <= authorised),
    CONSTRAINT ck_payments_never_over_refunded CHECK (refunded + refunding + store_credit <= captured),
    CONSTRAINT ck_payments_captured_not_negative CHECK (captured >= 0),
    CONSTRAINT ck_payments_capturing_not_negative CHECK (capturing >= 0),
    CONSTRAINT ck_payments_voided_not_negative CHECK (voided >= 0),
    CONSTRAINT ck_payments_refunded_not_negative CHECK (refunded >= 0),
    CONSTRAINT ck_payments_refunding_not_negative CHECK (refunding >= 0),
    CONSTRAINT ck_payments_over_refunded_not_negative CHECK (over_refunded >= 0),
    CONSTRAINT ck_payments_store_credit_not_negative CHECK (store_credit >= 0)
);

CREATE INDEX ix_payments_external ON payments (external_id, connection) WHERE external_id IS NOT NULL;

CREATE INDEX ix_payments_order ON payments (order_id);

CREATE TABLE payout_lines (
    id TEXT NOT NULL,
    payout_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    type TEXT NOT NULL,
    currency TEXT NOT NULL,
    gross BIGINT NOT NULL,
    fee BIGINT NOT NULL,
    net BIGINT NOT NULL,
    reference TEXT,
    order_reference TEXT,
    matched TEXT NOT NULL,
    order_id TEXT,
    internal_id TEXT,
    at BIGINT NOT NULL,
    CONSTRAINT pk_payout_lines PRIMARY KEY (id)
);

CREATE INDEX ix_payout_lines_order ON payout_lines (order_id);

CREATE INDEX ix_payout_lines_payout ON payout_lines (payout_id, number);

CREATE INDEX ix_payout_lines_unmatched ON payout_lines (at) WHERE matched = 'nothing';

CREATE TABLE payouts (
    id TEXT NOT NULL,
    connection TEXT NOT NULL,
    external_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL,
    lines_amount BIGINT NOT NULL,
    paid_at BIGINT NOT NULL,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_payouts PRIMARY KEY (id),
    CONSTRAINT uq_payouts_connection_external_id UNIQUE (connection, external_id)
);

CREATE INDEX ix_payouts_paid ON payouts (paid_at, id);

CREATE TABLE pushed_stock (
    subject TEXT NOT NULL,
    connection TEXT NOT NULL,
    sku TEXT NOT NULL,
    quantity BIGINT,
    sequence INTEGER NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_pushed_stock PRIMARY KEY (subject)
);

CREATE INDEX ix_pushed_stock_sku ON pushed_stock (sku);

CREATE TABLE quantity_moves (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    line_id TEXT NOT NULL,
    from_bucket TEXT NOT NULL,
    to_bucket TEXT NOT NULL,
    quantity BIGINT NOT NULL,
    cause TEXT NOT NULL,
    implied BOOLEAN DEFAULT false NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT pk_quantity_moves PRIMARY KEY (id),
    CONSTRAINT ck_quantity_moves_quantity_positive CHECK (quantity > 0)
);

CREATE INDEX ix_quantity_moves_order ON quantity_moves (order_id);

CREATE TABLE receipts (
    id TEXT NOT NULL,
    connection TEXT NOT NULL,
    stream TEXT NOT NULL,
    topic TEXT,
    delivery_id TEXT,
    body_hash TEXT NOT NULL,
    body_id TEXT NOT NULL,
    source TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    error TEXT,
    messages INTEGER DEFAULT '0' NOT NULL,
    claims INTEGER DEFAULT '0' NOT NULL,
    lease_epoch BIGINT,
    lease_until BIGINT,
    CONSTRAINT pk_receipts PRIMARY KEY (id),
    CONSTRAINT uq_receipts_connection_delivery_id_body_hash UNIQUE (connection, delivery_id, body_hash)
);

CREATE INDEX ix_receipts_connection ON receipts (connection, id);

CREATE INDEX ix_receipts_state ON receipts (state, id);

CREATE TABLE refunds (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    payment_id TEXT,
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL,
    state TEXT NOT NULL,
    "key" TEXT NOT NULL,
    purpose TEXT NOT NULL,
    tender TEXT DEFAULT '' NOT NULL,
    external_id TEXT,
    document TEXT NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT pk_refunds PRIMARY KEY (id),
    CONSTRAINT ck_refunds_amount_positive CHECK (amount > 0)
);

CREATE INDEX ix_refunds_external ON refunds (external_id);

CREATE INDEX ix_refunds_order ON refunds (order_id);

CREATE INDEX ix_refunds_payment ON refunds (payment_id);

CREATE TABLE reservations (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    line_id TEXT NOT NULL,
    sku TEXT NOT NULL,
    location TEXT NOT NULL,
    quantity BIGINT NOT NULL,
    state TEXT NOT NULL,
    place TEXT DEFAULT '' NOT NULL,
    turn TEXT DEFAULT '' NOT NULL,
    why TEXT DEFAULT '' NOT NULL,
    fulfilment_order_id TEXT,
    expires_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_reservations PRIMARY KEY (id),
    CONSTRAINT ck_reservations_quantity_not_negative CHECK (quantity >= 0)
);

CREATE INDEX ix_reservations_live ON reservations (sku, location) WHERE state IN ('soft', 'firm');

CREATE INDEX ix_reservations_order ON reservations (order_id);

CREATE INDEX ix_reservations_unassigned ON reservations (sku) WHERE fulfilment_order_id IS NULL AND expires_at IS NULL;

CREATE TABLE return_lines (
    id TEXT NOT NULL,
    return_id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    line_id TEXT,
    number INTEGER NOT NULL,
    sku TEXT NOT NULL,
    claimed BIGINT NOT NULL,
    requested BIGINT DEFAULT '0' NOT NULL,
    in_transit BIGINT DEFAULT '0' NOT NULL,
    received BIGINT DEFAULT '0' NOT NULL,
    restocked BIGINT DEFAULT '0' NOT NULL,
    quarantined BIGINT DEFAULT '0' NOT NULL,
    scrapped BIGINT DEFAULT '0' NOT NULL,
    withdrawn BIGINT DEFAULT '0' NOT NULL,
    over BIGINT DEFAULT '0' NOT NULL,
    settled BIGINT DEFAULT '0' NOT NULL,
    document TEXT NOT NULL,
    CONSTRAINT pk_return_lines PRIMARY KEY (id),
    CONSTRAINT ck_return_lines_stages_sum CHECK (requested + in_transit + received + restocked + quarantined + scrapped + withdrawn = claimed),
    CONSTRAINT ck_return_lines_requested_not_negative CHECK (requested >= 0),
    CONSTRAINT ck_return_lines_in_transit_not_negative CHECK (in_transit >= 0),
    CONSTRAINT ck_return_lines_received_not_negative CHECK (received >= 0),
    CONSTRAINT ck_return_lines_restocked_not_negative CHECK (restocked >= 0),
    CONSTRAINT ck_return_lines_quarantined_not_negative CHECK (quarantined >= 0),
    CONSTRAINT ck_return_lines_scrapped_not_negative CHECK (scrapped >= 0),
    CONSTRAINT ck_return_lines_withdrawn_not_negative CHECK (withdrawn >= 0),
    CONSTRAINT ck_return_lines_over_not_negative CHECK (over >= 0)
);

CREATE INDEX ix_return_lines_order ON return_lines (order_id);

CREATE INDEX ix_return_lines_return ON return_lines (return_id);

CREATE TABLE return_moves (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    return_line_id TEXT NOT NULL,
    from_stage TEXT NOT NULL,
    to_stage TEXT NOT NULL,
    quantity BIGINT NOT NULL,
    location TEXT NOT NULL,
    cause TEXT NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT pk_return_moves PRIMARY KEY (id),
    CONSTRAINT ck_return_moves_quantity_positive CHECK (quantity > 0)
);

CREATE INDEX ix_return_moves_order ON return_moves (order_id);

CREATE TABLE return_settlements (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    return_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL,
    refund_id TEXT,
    document TEXT NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT pk_return_settlements PRIMARY KEY (id),
    CONSTRAINT ck_return_settlements_amount_not_negative CHECK (amount >= 0)
);

CREATE INDEX ix_return_settlements_order ON return_settlements (order_id);

CREATE TABLE returns (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    number TEXT NOT NULL,
    origin TEXT NOT NULL,
    state TEXT NOT NULL,
    external_id TEXT,
    location TEXT,
    tracking_number TEXT,
    reason TEXT NOT NULL,
    expires_at BIGINT,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_returns PRIMARY KEY (id)
);

CREATE INDEX ix_returns_external ON returns (external_id);

CREATE INDEX ix_returns_number ON returns (number);

CREATE INDEX ix_returns_order ON returns (order_id);

CREATE INDEX ix_returns_state ON returns (state, id);

CREATE INDEX ix_returns_tracking_number ON returns (tracking_number) WHERE tracking_number IS NOT NULL;

CREATE TABLE revisions (
    hash TEXT NOT NULL,
    bundle BLOB NOT NULL,
    versions TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_revisions PRIMARY KEY (hash)
);

CREATE TABLE schedule_slots (
    schedule TEXT NOT NULL,
    slot BIGINT NOT NULL,
    task_id TEXT,
    state TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_schedule_slots PRIMARY KEY (schedule, slot)
);

CREATE TABLE settings (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_settings PRIMARY KEY (name)
);

CREATE TABLE shipments (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    fulfilment_order_id TEXT NOT NULL,
    location TEXT NOT NULL,
    external_id TEXT NOT NULL,
    shipped_at BIGINT NOT NULL,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT pk_shipments PRIMARY KEY (id)
);

CREATE INDEX ix_shipments_order ON shipments (order_id);

CREATE TABLE sources (
    entity_key TEXT NOT NULL,
    record TEXT NOT NULL,
    subject TEXT,
    last_hash TEXT,
    last_version TEXT,
    fingerprint TEXT,
    versions TEXT NOT NULL,
    body_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    conflicts INTEGER DEFAULT '0' NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_sources PRIMARY KEY (entity_key)
);

CREATE INDEX ix_sources_subject ON sources (subject);

CREATE TABLE sourcing_decisions (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    cause TEXT NOT NULL,
    document TEXT NOT NULL,
    at BIGINT NOT NULL,
    CONSTRAINT pk_sourcing_decisions PRIMARY KEY (id)
);

CREATE INDEX ix_sourcing_decisions_order ON sourcing_decisions (order_id);

CREATE TABLE stock (
    sku TEXT NOT NULL,
    location TEXT NOT NULL,
    on_hand BIGINT DEFAULT '0' NOT NULL,
    soft BIGINT DEFAULT '0' NOT NULL,
    firm BIGINT DEFAULT '0' NOT NULL,
    quarantine BIGINT DEFAULT '0' NOT NULL,
    damaged BIGINT DEFAULT '0' NOT NULL,
    in_transit BIGINT DEFAULT '0' NOT NULL,
    as_of BIGINT,
    sequence TEXT,
    updated_at BIGINT,
    CONSTRAINT pk_stock PRIMARY KEY (sku, location),
    CONSTRAINT ck_stock_soft_not_negative CHECK (soft >= 0),
    CONSTRAINT ck_stock_firm_not_negative CHECK (firm >= 0),
    CONSTRAINT ck_stock_quarantine_not_negative CHECK (quarantine >= 0),
    CONSTRAINT ck_stock_damaged_not_negative CHECK (damaged >= 0),
    CONSTRAINT ck_stock_in_transit_not_negative CHECK (in_transit >= 0)
);

CREATE TABLE stock_events (
    id TEXT NOT NULL,
    sku TEXT NOT NULL,
    location TEXT NOT NULL,
    bucket TEXT NOT NULL,
    kind TEXT NOT NULL,
    delta BIGINT,
    absolute BIGINT,
    stated BIGINT,
    source_sequence TEXT,
    source TEXT NOT NULL,
    source_time BIGINT NOT NULL,
    reason TEXT NOT NULL,
    cause TEXT NOT NULL,
    sequence TEXT NOT NULL,
    CONSTRAINT pk_stock_events PRIMARY KEY (id)
);

CREATE INDEX ix_stock_events_key ON stock_events (sku, location, sequence);

CREATE TABLE stock_marks (
    location TEXT NOT NULL,
    as_of BIGINT NOT NULL,
    sequence TEXT,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_stock_marks PRIMARY KEY (location)
);

CREATE TABLE stock_signals (
    sku TEXT NOT NULL,
    location TEXT NOT NULL,
    level TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_stock_signals PRIMARY KEY (sku, location)
);

CREATE TABLE supply (
    id TEXT NOT NULL,
    connection TEXT NOT NULL,
    external_id TEXT NOT NULL,
    reference TEXT NOT NULL,
    sku TEXT NOT NULL,
    location TEXT NOT NULL,
    expected_at BIGINT NOT NULL,
    quantity BIGINT NOT NULL,
    received BIGINT NOT NULL,
    promised BIGINT NOT NULL,
    fulfilled BIGINT NOT NULL,
    status TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_supply PRIMARY KEY (id),
    CONSTRAINT ck_supply_not_negative CHECK (quantity >= 0 AND received >= 0 AND fulfilled >= 0)
);

CREATE INDEX ix_supply_all ON supply (sku, expected_at);

CREATE TABLE supply_claims (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    line_id TEXT NOT NULL,
    sku TEXT NOT NULL,
    supply_id TEXT NOT NULL,
    quantity BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_supply_claims PRIMARY KEY (id),
    CONSTRAINT ck_supply_claims_quantity_not_negative CHECK (quantity >= 0)
);

CREATE INDEX ix_supply_claims_order ON supply_claims (order_id);

CREATE INDEX ix_supply_claims_supply ON supply_claims (supply_id);

CREATE TABLE tasks (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    dedupe_key TEXT NOT NULL,
    state TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    payload TEXT NOT NULL,
    claims INTEGER DEFAULT '0' NOT NULL,
    lease_epoch BIGINT,
    lease_token TEXT,
    lease_until BIGINT,
    error TEXT,
    created_at BIGINT NOT NULL,
    finished_at BIGINT,
    CONSTRAINT pk_tasks PRIMARY KEY (id),
    CONSTRAINT uq_tasks_dedupe_key UNIQUE (dedupe_key)
);

CREATE INDEX ix_tasks_claimed ON tasks (lease_until) WHERE state = 'claimed';

CREATE INDEX ix_tasks_due ON tasks (due_at, id) WHERE state = 'pending';

CREATE INDEX ix_tasks_finished ON tasks (finished_at, state);

CREATE TABLE transits (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    fulfilment_order_id TEXT NOT NULL,
    line_id TEXT,
    sku TEXT NOT NULL,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    sent BIGINT NOT NULL,
    received BIGINT DEFAULT '0' NOT NULL,
    lost BIGINT DEFAULT '0' NOT NULL,
    quantity BIGINT NOT NULL,
    claimed BIGINT DEFAULT '0' NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CONSTRAINT pk_transits PRIMARY KEY (id),
    CONSTRAINT ck_transits_quantity_is_the_rest CHECK (quantity = sent - received - lost),
    CONSTRAINT ck_transits_quantity_not_negative CHECK (quantity >= 0),
    CONSTRAINT ck_transits_claimed_is_there CHECK (claimed >= 0 AND claimed <= quantity)
);

CREATE INDEX ix_transits_destination ON transits (destination, sku);

CREATE INDEX ix_transits_order ON transits (order_id);

CREATE TABLE web_sessions (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    key_id TEXT,
    who TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    CONSTRAINT pk_web_sessions PRIMARY KEY (id)
);

CREATE INDEX ix_web_sessions_expires ON web_sessions (expires_at);
