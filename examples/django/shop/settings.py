"""Settings of the project. The variables of ds_assets say where predictions are stored."""

import datetime as dt
import os

from django.core.management.utils import get_random_secret_key

SECRET_KEY = os.environ.get("SHOP_SECRET_KEY") or get_random_secret_key()
"""The random one is for development: processes that sign something must share one."""
DEBUG = os.environ.get("SHOP_DEBUG") == "1"
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]

SHOP_TRUST = dt.timedelta(days=int(os.environ.get("SHOP_TRUST_DAYS") or 14))
"""Age up to which a prediction decides on an offer: it foretells about as many days."""

INSTALLED_APPS = ["shop"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
USE_I18N = False
TIME_ZONE = "UTC"
CSRF_COOKIE_SECURE = True
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]  # TLS is the proxy's in front
