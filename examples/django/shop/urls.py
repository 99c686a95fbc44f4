"""The URLs of this project."""

from django.urls import path

from shop.views import player

urlpatterns = [path("players/<path:player_id>", player, name="player")]
