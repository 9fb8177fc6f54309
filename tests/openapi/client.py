"""Uses the client that openapi-python-client generates, as a program of a key holder does."""

import datetime
import sys

from tickerd_client import AuthenticatedClient
from tickerd_client.api.prices import get_quote, list_prices, list_prices_of_many
from tickerd_client.api.stocks import list_stocks
from tickerd_client.api.watchlists import create_watchlist
from tickerd_client.models import (
    ListPricesColumnsItem,
    ListPricesInterval,
    Problem,
    WatchlistBody,
)

url, key = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=key, raise_on_unexpected_status=True)

stocks = list_stocks.sync(client=client, exchange="NASDAQ")
assert {stock.id for stock in stocks.stocks} == {"AAPL", "FB", "GOOG", "MSFT"}, stocks
assert stocks.count == stocks.total == 4

start, end = datetime.date(2012, 12, 24), datetime.date(2012, 12, 31)
prices = list_prices.sync("AAPL", client=client, start=start, end=end)
assert [bar.date for bar in prices.prices][0] == end
assert prices.next_ is None and prices.count == 5, prices

columns = [ListPricesColumnsItem.DATE, ListPricesColumnsItem.CLOSE]
weeks = list_prices.sync(
    "AAPL",
    client=client,
    start=datetime.date(2012, 12, 17),
    end=datetime.date(2012, 12, 28),
    interval=ListPricesInterval.WEEK,
    columns=columns,
)
assert weeks.count == 2 and set(weeks.prices[0].to_dict()) == {"date", "close"}, weeks

many = list_prices_of_many.sync(client=client, symbols=["AAPL", "MSFT", "NOPE"], start=start, end=end)
assert many.unknown == ["NOPE"] and many.count == 10, many

quote = get_quote.sync("MSFT", client=client)
assert quote.symbol == "MSFT" and quote.close > 0 and quote.volume > 0, quote

missing = get_quote.sync("NOPE", client=client)
assert isinstance(missing, Problem) and missing.code == "unknown_symbol", missing

created = create_watchlist.sync(client=client, body=WatchlistBody(name="mine", symbols=["AAPL"]))
assert created.symbols == ["AAPL"], created
