"""The pages."""

import datetime as dt

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ds_assets.errors import InputError
from shop.offers import is_known, offer_for
from shop.predictions import prediction_of


@require_safe
@never_cache
def player(request: HttpRequest, player_id: str) -> HttpResponse:
    """The shop as a player sees it, and why."""
    try:
        prediction = prediction_of(player_id)
    except InputError as error:
        raise Http404(str(error)) from None
    age = prediction.age_seconds
    context = {
        "prediction": prediction,
        "is_known": is_known(prediction),
        "day_ended": None if age is None else timezone.now() - dt.timedelta(seconds=age),
        "offer": offer_for(prediction, settings.SHOP_TRUST),
    }
    return render(request, "shop/player.html", context)
