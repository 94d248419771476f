"""States of films that this process knows already, so that they are not read and checked again."""

from collections import OrderedDict

from services.orchestrator.domain.films.film import Film

# So many tasks may be kept, of whatever films: some 4 KiB each.
MOST_TASKS = 8192


class NewestFilms:
    """The newest committed state of each film in use here, the ones used longest ago left out.

    A state is known by its sequence, which grows by one with every change that is committed: where
    the database tells the sequence of a state, that state itself need not be read.
    """

    def __init__(self, most_tasks: int = MOST_TASKS) -> None:
        """Start without any."""
        self._most = most_tasks
        self._tasks = 0
        self._films: OrderedDict[str, Film] = OrderedDict()

    def known(self, film_id: str, sequence: int) -> Film | None:
        """The film as it was at this sequence, where that is the one that is kept."""
        film = self._films.get(film_id)
        if film is None or film.sequence != sequence:
            return None
        self._films.move_to_end(film_id)
        return film

    def keep(self, film: Film) -> Film:
        """Keep a state that is committed, unless a newer one is kept; returns it as given."""
        older = self._films.get(film.id)
        if older is not None and older.sequence >= film.sequence:
            return film
        self._tasks += len(film.tasks) - (len(older.tasks) if older else 0)
        self._films[film.id] = film
        self._films.move_to_end(film.id)
        while self._tasks > self._most:
            _, gone = self._films.popitem(last=False)
            self._tasks -= len(gone.tasks)
        return film
