"""Miniature data sets in every published format: the same 12 users and 15 items each time."""

import gzip
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

USERS, ITEMS, EVENTS = 12, 15, 8
DAY = 86_400
START = 1_260_000_000

# (user, item, seconds): every user walks along the items with a stride of 1 or 2, one a day, and
# starts on one of six days.
LOG = [
    (user, (user + step * (1 + user % 2)) % ITEMS, START + user * 60 + (step + user % 6) * DAY)
    for user in range(1, USERS + 1)
    for step in range(EVENTS)
]


def write(path: Path, text: str, encoding: str = "utf-8") -> None:
    """A text file, packed where its name ends in .gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = text.encode(encoding)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def movielens_100k(folder: Path) -> None:
    rows = [f"{u}\t{i + 1}\t{1 + i % 5}\t{t}\n" for u, i, t in LOG]
    write(folder / "u.data", "".join(rows))
    flags = ["|".join("1" if place == i % 19 else "0" for place in range(19)) for i in range(ITEMS)]
    films = [f"{i + 1}|Amélie {i} (1995)|01-Jan-1995||http://x|{flags[i]}\n" for i in range(ITEMS)]
    write(folder / "u.item", "".join(films), "latin-1")


def movielens_1m(folder: Path) -> None:
    rows = [f"{u}::{i + 1}::{1 + i % 5}::{t}\r\n" for u, i, t in LOG]
    write(folder / "ratings.dat", "".join(rows))
    films = [f"{i + 1}::Café: {i} (1995)::Drama|Comedy\n" for i in range(ITEMS)]
    write(folder / "movies.dat", "".join(films), "latin-1")
    write(folder / "users.dat", "1::F::1::10::48067\n")


def movielens(folder: Path) -> None:
    rows = [f"{u},{i + 1},{3 + i % 5 / 2},{t}\n" for u, i, t in LOG]
    write(folder / "ratings.csv", "userId,movieId,rating,timestamp\n" + "".join(rows))
    films = [
        f'{i + 1},"Café, the ""{i}"" (1995)",{"Drama|Comedy" if i else "(no genres listed)"}\n'
        for i in range(ITEMS)
    ]
    write(folder / "movies.csv", "movieId,title,genres\n" + "".join(films))


def amazon_2018(folder: Path) -> None:
    reviews = [
        {"overall": 1.0 + i % 5, "reviewerID": f"A{u}", "asin": f"B{i:04}", "unixReviewTime": t,
         "reviewText": "I liked it", "summary": "Good", "verified": True}
        for u, i, t in LOG
    ]  # fmt: skip
    meta = [
        {"asin": f"B{i:04}", "title": f"<b>Pen</b> {i}", "brand": "Café", "price": "$1",
         "category": ["Office", "Pens"], "description": ["Writes.", ""], "feature": ["x"]}
        for i in range(ITEMS + 2)
    ]  # fmt: skip
    for name, rows in (("Office_5", reviews), ("meta_Office", meta)):
        write(folder / f"{name}.json.gz", "".join(json.dumps(row) + "\n" for row in rows))


def amazon_2023(folder: Path) -> None:
    reviews = [
        {"rating": 1.0 + i % 5, "title": "Good", "text": "I liked it", "asin": f"C{i:04}",
         "parent_asin": f"B{i:04}", "user_id": f"A{u}", "timestamp": t * 1000}
        for u, i, t in LOG
    ]  # fmt: skip
    meta = [
        {"main_category": "Office", "title": f"Pen {i}", "store": "Café", "parent_asin": f"B{i:04}",
         "categories": ["Office", "Pens"], "description": ["Writes."], "price": None}
        for i in range(ITEMS)
    ]  # fmt: skip
    for name, rows in (("Office", reviews), ("meta_Office", meta)):
        write(folder / f"{name}.jsonl.gz", "".join(json.dumps(row) + "\n" for row in rows))


def online_retail(folder: Path) -> None:
    """Every two events of a user share an invoice."""
    lines = ["InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"]
    for row, (user, item, time) in enumerate(LOG):
        moment = datetime.fromtimestamp(time - row % EVENTS % 2 * DAY, UTC)
        date = f"{moment.month}/{moment.day}/{moment.year} {moment.hour}:{moment.minute:02}"
        lines.append(f'{5000 + row},{item:05}A,"MUG, £{item}",6,{date},2.55,{user}.0,France')
    lines += [
        "C9001,00001A,MUG,-6,12/10/2009 8:26,2.55,1.0,France",
        "9002,00001A,MUG,6,12/10/2009 8:26,2.55,,France",
        "9003,00001A,MUG,0,12/10/2009 8:26,2.55,2.0,France",
    ]
    write(folder / "online_retail.csv.gz", "\n".join(lines) + "\n", "latin-1")


def hetrec_lastfm(folder: Path) -> None:
    artists = [f"{i + 1}\tMötley {i}\thttp://x\thttp://y\n" for i in range(ITEMS)]
    write(folder / "artists.dat", "id\tname\turl\tpictureURL\n" + "".join(artists))
    listens = [f"{u}\t{i + 1}\t{1 + t % 5000}\n" for u, i, t in LOG]
    write(folder / "user_artists.dat", "userID\tartistID\tweight\n" + "".join(listens))
    write(folder / "tags.dat", "tagID\ttagValue\r\n1\tmetal\r\n2\té lectro\r\n", "latin-1")
    tagged = [
        f"{u}\t{i + 1}\t{1 + i % 2}\t1\t{1 + place % EVENTS}\t2009\r\n"
        for place, (u, i, _) in enumerate(LOG)
    ]
    header = "userID\tartistID\ttagID\tday\tmonth\tyear\r\n"
    write(folder / "user_taggedartists.dat", header + "".join(tagged))


def mind(folder: Path) -> None:
    news = [f"N{i}\tnews\tnewsus\tTitle {i}\tAbout {i}.\thttp://x\t[]\t[]\n" for i in range(ITEMS)]
    write(folder / "news.tsv", "".join(news))
    for part, days in (("train", range(EVENTS - 1)), ("valid", range(EVENTS - 1, EVENTS))):
        rows = []
        for user in range(1, USERS + 1):
            seen = [f"N{i}" for u, i, _ in LOG if u == user]
            for day in days:
                other = f"N{(int(seen[day][1:]) + 5) % ITEMS}"
                date = f"11/{13 + day}/2019 8:36:{user:02} AM"
                rows.append(f"{len(rows)}\tU{user}\t{date}\tN0\t{seen[day]}-1 {other}-0\n")
        write(folder / part / "behaviors.tsv", "".join(rows))


def dkn(folder: Path) -> None:
    rows = [
        f"{u}\ttitle of {i}\t{place % 4 > 0:d}\t{i}:Name {i}\n"
        for place, (u, i, _) in enumerate(LOG)
    ]
    write(folder / "raw_train.txt", "".join(rows))


def recbole(folder: Path) -> None:
    rows = [f"{u}\t{i}\t{t}\n" for u, i, t in LOG]
    write(folder / "mini.inter", "user_id:token\titem_id:token\ttimestamp:float\n" + "".join(rows))
    items = [f"{i}\tTitle {i}\tDrama Comedy\n" for i in range(ITEMS)]
    write(
        folder / "mini.item", "item_id:token\ttitle:token_seq\tclass:token_seq\n" + "".join(items)
    )
    links = [f"{i}\tm.{i}\n" for i in range(ITEMS)]
    write(folder / "mini.link", "item_id:token\tentity_id:token\n" + "".join(links))
    facts = [f"m.{i}\tfilm.film.genre\tm.g{i % 3}\n" for i in range(ITEMS)]
    header = "head_id:token\trelation_id:token\ttail_id:token\n"
    write(folder / "mini.kg", header + "".join(facts))


def tables(folder: Path) -> None:
    rows = [f"A{u},{i},{t}\n" for u, i, t in LOG]
    write(folder / "interactions.csv.gz", "user_id,item_id,position\n" + "".join(rows))
    items = [f"{i},Pen {i},\"['Writes.']\"\n" for i in range(ITEMS)]
    write(folder / "items.csv.gz", "item_id,title,description\n" + "".join(items))


MINIATURES: Mapping[str, Callable[[Path], None]] = {
    "movielens-100k": movielens_100k,
    "movielens-1m": movielens_1m,
    "movielens": movielens,
    "hetrec-lastfm": hetrec_lastfm,
    "mind": mind,
    "dkn": dkn,
    "online-retail": online_retail,
    "amazon-2018": amazon_2018,
    "amazon-2023": amazon_2023,
    "recbole": recbole,
    "tables": tables,
}
