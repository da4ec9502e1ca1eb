import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0010_invoice_payments'),
    ]

    operations = [
        migrations.CreateModel(
            name='InvoiceNotice',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('reminder', 'reminder'), ('overdue', 'overdue')], max_length=10, verbose_name='kind')),
                ('step', models.SmallIntegerField(default=0, verbose_name='day')),
                ('recipient', models.CharField(blank=True, max_length=254, verbose_name='to')),
                ('run', models.CharField(editable=False, max_length=32)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='created')),
                ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='notices', to='billing.invoice', verbose_name='invoice')),
            ],
            options={
                'verbose_name': 'notice of an invoice',
                'verbose_name_plural': 'notices of invoices',
                'db_table': 'invoice_notices',
                'ordering': ('-id',),
                'constraints': [models.UniqueConstraint(fields=('invoice', 'kind', 'step'), name='invoice_notices_once'), models.CheckConstraint(condition=models.Q(('kind__in', ['reminder', 'overdue'])), name='invoice_notices_kind_known')],
            },
        ),
        migrations.CreateModel(
            name='InvoiceReturn',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount', models.DecimalField(decimal_places=4, max_digits=18, verbose_name='amount')),
                ('from_balance', models.DecimalField(decimal_places=4, max_digits=18, verbose_name='taken from the balance')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('source', models.CharField(max_length=40, verbose_name='brought by')),
                ('created_by', models.CharField(max_length=64, verbose_name='created by')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='created')),
                ('invoice', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='returns', to='billing.invoice', verbose_name='invoice')),
            ],
            options={
                'verbose_name': 'money given back of an invoice',
                'verbose_name_plural': 'money given back of invoices',
                'db_table': 'invoice_returns',
                'ordering': ('-id',),
                'constraints': [models.CheckConstraint(condition=models.Q(('amount', 0), _negated=True), name='invoice_returns_not_nought'), models.CheckConstraint(condition=models.Q(('source', ''), _negated=True), name='invoice_returns_has_source')],
                'indexes': [models.Index(fields=['source'], name='idx_invoice_returns_source')],
            },
        ),
        migrations.AddField(
            model_name='invoicepayment',
            name='source',
            field=models.CharField(blank=True, default='', max_length=40, verbose_name='brought by'),
        ),
        migrations.AddIndex(
            model_name='invoicepayment',
            index=models.Index(condition=models.Q(('source', ''), _negated=True), fields=['source'], name='idx_invoice_payments_source'),
        ),
    ]
