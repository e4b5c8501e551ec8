from __future__ import annotations
from hub.runtime.simulation import Simulation
from tests.simulation.scenario import Story
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool
from hub.store.engine import driver
from hub.views.verify import verify


def audit(simulation: Simulation, story: Story) -> list[str]:
    engine = create_engine("sqlite://", creator=lambda: simulation.database.connection, module=driver, poolclass=StaticPool)
    with engine.connect() as connection:
        return [f"verify: {one['promise']}: {one['subject']}: {one['detail']}" for one in verify(connection)]
