"""The lake: a folder or an Azure Blob container, and how tables, models and raw logs lie in it."""
